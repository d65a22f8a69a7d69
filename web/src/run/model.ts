/** One run that is open: its facts as signals, kept up to date by events, and its draws. */
import { batch, computed, effect, type ReadonlySignal, signal, untracked } from '@preact/signals'
import { ApiProblem } from '../api/http.ts'
import { getAbout, getChains, getChecks, getMeta } from '../api/run.ts'
import type { About, Checks, Counts, Diagnostics } from '../api/shapes.ts'
import { place } from '../app/navigate.ts'
import type { RunView } from '../app/place.ts'
import { FIRST_VIEW } from '../app/place.ts'
import { key } from '../app/session.ts'
import { type DrawsLink, openDraws } from '../draws/link.ts'
import type { Brush, Choice } from '../draws/questions.ts'
import { watchRun } from '../live/link.ts'
import type { LiveEvent } from '../live/protocol.ts'
import { Rates } from './rates.ts'
import { RunSchema } from './schema.ts'

/** Milliseconds for which news are gathered before the page looks at them. */
const DEBOUNCE_MS = 250
/** Milliseconds between two questions for checks. */
const CHECKS_REST_MS = 2000
/** Diagnostics that are kept of a run's history. */
const TOLD = 400
/** Milliseconds without news after which the server judges all draws of a run: it takes 2 s, and news come a little late. */
const SETTLED_MS = 3000
/** Seconds that an answer to checks may take; what is not ready then is asked for again. */
const CHECKS_WAIT = 2

export type Stage =
  | { readonly stage: 'opening' }
  | { readonly stage: 'open' }
  /** Deleted, or replaced by another registration, while it was open. */
  | { readonly stage: 'gone' }
  | { readonly stage: 'refused'; readonly problem: ApiProblem }

export interface ChainNow {
  readonly chain: number
  readonly length: number
}

export class RunModel {
  readonly rid: string
  readonly stage = signal<Stage>({ stage: 'opening' })
  /** False while the server does not answer. */
  readonly isConnected = signal(true)
  readonly about = signal<About | undefined>(undefined)
  readonly schema = signal<RunSchema | undefined>(undefined)
  readonly registration = signal('')
  /** Chains as they are shown: they stay as they are while `isFrozen`. */
  readonly chains = signal<readonly ChainNow[]>([])
  readonly diagnostics = signal<Diagnostics | null>(null)
  /** Diagnostics as they were told while the run was open, by rising draws. */
  readonly told = signal<readonly Diagnostics[]>([])
  readonly counts = signal<Counts | null>(null)
  readonly checks = signal<Checks | undefined>(undefined)
  /** Milliseconds since 1970 of the answer whose checks are shown. */
  readonly checkedAt = signal<number | undefined>(undefined)
  /** True while news are not shown, so that somebody can look. */
  readonly isFrozen = signal(false)
  /** Draws that are lit up in all plots. */
  readonly brush = signal<Brush | undefined>(undefined)
  /** Rises whenever draws are shown that were not: plots ask again. */
  readonly moment = signal(0)
  readonly rates = new Rates()
  readonly draws = signal<DrawsLink | undefined>(undefined)
  /** The view that the address names. */
  readonly view: ReadonlySignal<RunView>
  /** Draws that count, by the address. */
  readonly choice: ReadonlySignal<Choice>
  private readonly lengths = new Map<number, number>()
  private readonly ended = new AbortController()
  private unwatch: () => void = () => {}
  private timer: ReturnType<typeof setTimeout> | undefined
  private checksOf = ''
  /** Milliseconds since 1970 at which draws were last seen to be new. */
  private grownAt = 0
  private checkTimer: ReturnType<typeof setTimeout> | undefined
  private isChecking = false

  constructor(rid: string) {
    this.rid = rid
    this.view = computed(() => {
      const at = place.value
      return at.screen === 'run' && at.rid === rid ? at.view : FIRST_VIEW
    })
    this.choice = computed(() => {
      const { chains, warmup, draws } = this.view.value
      return { ...(chains.length > 0 && { chains }), warmup, ...draws }
    })
    void this.open()
    const stop = effect(() => {
      if (!this.isFrozen.value) untracked(() => this.look())
    })
    this.ended.signal.addEventListener('abort', stop)
  }

  /** Chains that are there, or those of the view. */
  readonly shownChains: ReadonlySignal<readonly ChainNow[]> = computed(() => {
    const { chains } = this.view.value
    return chains.length === 0 ? this.chains.value : this.chains.value.filter(({ chain }) => chains.includes(chain))
  })

  close(): void {
    this.ended.abort()
    this.unwatch()
    clearTimeout(this.timer)
    clearTimeout(this.checkTimer)
    this.draws.value?.close()
  }

  /** Asks for name, tags and facts again, as after a change. */
  async refreshAbout(): Promise<void> {
    try {
      this.about.value = await getAbout(this.rid, this.asking())
      this.isConnected.value = true
    } catch (error) {
      this.fail(error)
    }
  }

  private asking() {
    return { key: key.value, signal: this.ended.signal }
  }

  private async open(): Promise<void> {
    try {
      const asking = this.asking()
      const [found, line, chains] = await Promise.all([
        getMeta(this.rid, asking),
        getAbout(this.rid, asking),
        getChains(this.rid, asking),
      ])
      const schema = new RunSchema(found.meta)
      for (const { chain, length, updatedAt } of chains) {
        this.lengths.set(chain, length)
        this.rates.note(chain, length, Date.parse(updatedAt))
      }
      batch(() => {
        this.schema.value = schema
        this.registration.value = found.registration
        this.about.value = line
        if (line.diagnostics !== null) this.learn(line.diagnostics)
        this.draws.value = openDraws(schema.opened(this.rid, found.registration, key.value))
        this.stage.value = { stage: 'open' }
        this.look()
      })
      this.unwatch = watchRun({ rid: this.rid, key: key.value }, (event) => this.hear(event))
    } catch (error) {
      this.fail(error)
      // A server that is away comes back.
      if (this.stage.value.stage === 'opening') this.timer = setTimeout(() => void this.open(), 2000)
    }
  }

  private fail(error: unknown): void {
    if (this.ended.signal.aborted) return
    if (!(error instanceof ApiProblem)) {
      const said = error instanceof Error ? error.message : String(error)
      this.stage.value = {
        stage: 'refused',
        problem: new ApiProblem(0, 'unreadable', `an answer cannot be read: ${said}`),
      }
    } else if (error.isPassing) this.isConnected.value = false
    else if (error.code === 'run_not_found' || error.code === 'run_replaced') {
      const wasOpen = this.stage.value.stage === 'open'
      this.stage.value = wasOpen ? { stage: 'gone' } : { stage: 'refused', problem: error }
    } else this.stage.value = { stage: 'refused', problem: error }
  }

  private hear(event: LiveEvent): void {
    switch (event.type) {
      case 'chains':
        for (const { chain, length } of event.chains) {
          if (length !== this.lengths.get(chain)) this.rates.note(chain, length, Date.now())
          this.lengths.set(chain, length)
        }
        this.timer ??= setTimeout(() => {
          this.timer = undefined
          if (!this.isFrozen.value) this.look()
        }, DEBOUNCE_MS)
        return
      case 'diagnostics':
        if (!this.isFrozen.value) this.learn(event.diagnostics)
        return
      case 'counts':
        if (!this.isFrozen.value) this.counts.value = event.counts
        return
      case 'connected':
      case 'away':
        this.isConnected.value = event.type === 'connected'
        return
      case 'deleted':
        this.stage.value = { stage: 'gone' }
        return
      case 'refused':
        this.fail(new ApiProblem(event.status, event.code, event.detail))
    }
  }

  private learn(diagnostics: Diagnostics): void {
    this.diagnostics.value = diagnostics
    const before = this.told.value.filter(({ draws }) => draws < diagnostics.draws)
    // A page is open for weeks: of a long history every other entry is enough.
    const kept = before.length < TOLD ? before : before.filter((_each, i) => i % 2 === 0)
    this.told.value = [...kept, diagnostics]
  }

  /** Shows what is known by now. */
  private look(): void {
    const chains = [...this.lengths].map(([chain, length]) => ({ chain, length })).sort((a, b) => a.chain - b.chain)
    const isNew = chains.some(({ chain, length }, i) => {
      const before = this.chains.value[i]
      return before?.chain !== chain || before.length !== length
    })
    if (!isNew && chains.length === this.chains.value.length && this.moment.value > 0) return
    if (this.moment.value > 0 || this.about.value?.state === 'live') this.grownAt = Date.now()
    batch(() => {
      this.chains.value = chains
      this.draws.value?.grow(this.lengths)
      this.moment.value++
    })
    void this.check()
  }

  /** Asks for checks of what is shown, one question at a time, until all is known. */
  private async check(): Promise<void> {
    const shown = () => JSON.stringify(this.chains.value)
    const isOpen = this.stage.value.stage === 'open' && !this.ended.signal.aborted
    if (this.isChecking || !isOpen || this.checksOf === shown()) return
    this.isChecking = true
    let askedAt = 0
    try {
      for (let progress: number | undefined = 0; progress !== undefined; ) {
        this.checksOf = shown()
        askedAt = Date.now()
        const asking = { ...this.asking(), registration: this.registration.value, wait: CHECKS_WAIT }
        const answer = await getChecks(this.rid, asking)
        progress = answer.progress
        this.isConnected.value = true
        if (!this.isFrozen.value || this.checks.value === undefined) {
          this.checks.value = answer
          this.checkedAt.value = Date.now()
        }
      }
    } catch (error) {
      this.checksOf = ''
      this.fail(error)
    } finally {
      this.isChecking = false
    }
    // While it grows, checks follow at a distance: the server has others to serve.
    if (this.checksOf !== shown()) this.checkAfter(CHECKS_REST_MS)
    // A run that was just written may be judged as of a moment before: once it rests, all its draws are judged.
    else if (askedAt - this.grownAt < SETTLED_MS) this.checkAfter(SETTLED_MS)
  }

  private checkAfter(milliseconds: number): void {
    clearTimeout(this.checkTimer)
    this.checkTimer = setTimeout(() => {
      this.checksOf = ''
      void this.check()
    }, milliseconds)
  }
}
