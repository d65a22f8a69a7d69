/** Figures of all scalars of a run, as its summary has them: asked once, and again when the run has grown by a fifth or rests. */
import { batch, effect, signal, untracked } from '@preact/signals'
import { ApiProblem } from '../api/http.ts'
import { type Reason, summaryPath } from '../api/summary.ts'
import type { RunView } from '../app/place.ts'
import { key } from '../app/session.ts'
import {
  FIGURE_COLUMNS,
  type FigureColumn,
  type FiguresAsk,
  type FiguresNews,
  type FiguresPage,
  intervalOf,
  REASONS,
} from './figures-page.ts'
import type { RunModel } from './model.ts'

/** Growth after which figures are asked for again. */
const GROWTH = 1.2
/** Milliseconds between two questions at least, and without news until a run counts as at rest. */
const APART_MS = 3000
const REST_MS = 4000
/** Milliseconds between two looks at what is due. */
const LOOK_MS = 500
/** Seconds that an answer may take until it comes in part: one of 10,000 rows that are not computed is megabytes of nothing. */
const WAIT = 6

export interface FiguresState {
  /** Draws of each chain, and how many chains: what the figures are of. */
  readonly draws: number
  readonly chains: number
  /** Milliseconds since 1970 of the answer. */
  readonly at: number
  /** Share that is computed, below 1 while an answer is on its way. */
  readonly progress: number
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[]
  /** Words for why there are no newer ones. */
  readonly error: string | undefined
}

interface Arrays {
  readonly values: Float64Array
  readonly reasons: Uint8Array
}

const NONE: FiguresState = { draws: 0, chains: 0, at: 0, progress: 0, leftOut: [], error: undefined }

export class Figures {
  /** Rises whenever figures are others. */
  readonly version = signal(0)
  readonly state = signal(NONE)
  /** Scalars; rows of the table are in the order of their registration. */
  readonly count: number
  private shown: Arrays
  private coming: Arrays | undefined
  private readonly model: RunModel
  private readonly group: 'draws' | 'stats'
  private readonly worker: Worker
  private id = 0
  private isRunning = false
  private path = ''
  private asked = { draws: 0, at: 0 }
  /** True once all figures of this path are shown: later ones take their place at once. */
  private isShown = false
  /** False while the last answer was one in part. */
  private isDone = false
  /** Milliseconds since 1970 of the last draws, and how many there are. */
  private news = 0
  private total = 0
  private comingState = NONE
  private timer: ReturnType<typeof setInterval> | undefined

  constructor(model: RunModel, group: 'draws' | 'stats') {
    this.model = model
    this.group = group
    this.count = model.schema.value?.countOf(group) ?? 0
    this.shown = this.empty()
    this.worker = new Worker(new URL('./figures.worker.ts', import.meta.url), { type: 'module' })
    this.worker.onmessage = ({ data }: MessageEvent<FiguresNews>) => this.hear(data)
  }

  /** Asks from now on, until the function that it gives is called. */
  begin(): () => void {
    const stop = effect(() => {
      const path = this.pathOf(this.model.view.value)
      const total = this.model.shownChains.value.reduce((sum, { length }) => sum + length, 0)
      untracked(() => {
        if (path !== this.path) this.reset(path)
        const heard = this.model.shownChains.value.map(({ chain }) => this.model.rates.heardAt(chain) ?? 0)
        this.news = Math.max(0, ...heard)
        this.total = total
        this.look()
      })
    })
    this.timer = setInterval(() => this.look(), LOOK_MS)
    return () => {
      stop()
      clearInterval(this.timer)
      this.worker.terminate()
    }
  }

  /** NaN where there is a reason. */
  value(column: FigureColumn, row: number): number {
    return this.shown.values[FIGURE_COLUMNS.indexOf(column) * this.count + row] ?? Number.NaN
  }

  reason(column: FigureColumn, row: number): Reason | undefined {
    return REASONS[this.shown.reasons[FIGURE_COLUMNS.indexOf(column) * this.count + row] ?? 1]
  }

  /** All values of a column, and the numbers of their reasons. */
  column(column: FigureColumn): Arrays {
    const from = FIGURE_COLUMNS.indexOf(column) * this.count
    const { values, reasons } = this.shown
    return { values: values.subarray(from, from + this.count), reasons: reasons.subarray(from, from + this.count) }
  }

  private empty(): Arrays {
    const size = FIGURE_COLUMNS.length * this.count
    return { values: new Float64Array(size).fill(Number.NaN), reasons: new Uint8Array(size).fill(1) }
  }

  private pathOf({ chains, warmup, convention, more }: RunView): string {
    const { schema } = this.model
    const names = (schema.value?.numeric ?? []).filter(({ group }) => group === this.group).map(({ name }) => name)
    return summaryPath(this.model.rid, {
      ...(this.group === 'stats' && { stats: names }),
      ...(chains.length > 0 && { chains }),
      warmup,
      convention,
      columns: FIGURE_COLUMNS,
      ci: intervalOf(more.ci),
      limit: 10_000,
    })
  }

  private reset(path: string): void {
    if (this.isRunning) this.worker.postMessage(this.id)
    this.path = path
    this.isRunning = false
    this.isShown = false
    this.isDone = false
    this.shown = this.empty()
    this.state.value = NONE
    this.version.value++
  }

  private look(): void {
    if (!this.isRunning && this.count > 0 && this.total > 0 && this.isDue(Date.now())) this.ask()
  }

  private isDue(now: number): boolean {
    const rested = now - this.asked.at
    if (this.state.peek().error !== undefined) return rested >= APART_MS
    if (!this.isDone) return true
    if (this.model.isFrozen.peek() || rested < APART_MS) return false
    if (this.total >= GROWTH * this.asked.draws) return true
    // An answer to a question just behind the last draws may be of a moment before them.
    return now - this.news >= REST_MS && this.asked.at - this.news < REST_MS
  }

  private ask(): void {
    this.isRunning = true
    this.isDone = true
    this.asked = { draws: this.total, at: Date.now() }
    this.coming = this.isShown ? this.empty() : undefined
    const headers = { 'Mcb-Registration': this.model.registration.peek(), Prefer: `wait=${WAIT}` }
    this.worker.postMessage({ id: ++this.id, path: this.path, headers, key: key.peek() } satisfies FiguresAsk)
  }

  private hear(news: FiguresNews): void {
    if (news.id !== this.id || !this.isRunning) return
    if (news.type === 'page') this.keep(news.page)
    else if (news.type === 'end') this.finish()
    else {
      this.isRunning = false
      const problem = new ApiProblem(news.status, news.code, news.detail, news.retryAfter)
      const error = problem.isPassing ? 'The server does not answer at the moment.' : news.detail
      this.state.value = { ...this.state.peek(), error }
    }
  }

  /** The first figures are shown as they come; newer ones take their place at once, so that all are of one moment. */
  private keep({ first, rows, values, reasons, isComplete, ...page }: FiguresPage): void {
    const into = this.coming ?? this.shown
    const fit = Math.max(0, Math.min(rows, this.count - first))
    for (let c = 0; c < FIGURE_COLUMNS.length; c++) {
      const to = c * this.count + first
      into.values.set(values.subarray(c * rows, c * rows + fit), to)
      into.reasons.set(reasons.subarray(c * rows, c * rows + fit), to)
    }
    this.isDone &&= isComplete
    const { draws, chains, progress, leftOut } = page
    this.comingState = { draws, chains, at: Date.now(), progress, leftOut, error: undefined }
    if (this.coming === undefined) this.publish()
  }

  private finish(): void {
    this.isRunning = false
    if (!this.isDone) return
    this.isShown = true
    if (this.coming === undefined) return
    this.shown = this.coming
    this.publish()
  }

  private publish(): void {
    batch(() => {
      this.state.value = this.comingState
      this.version.value++
    })
  }
}
