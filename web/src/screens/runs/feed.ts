/** The list of runs as it goes on: read once, then asked for changes as long as somebody looks at it. */
import { batch, signal } from '@preact/signals'
import { ApiProblem } from '../../api/http.ts'
import { type ListQuery, listRuns } from '../../api/run.ts'
import type { About, RunPage } from '../../api/shapes.ts'
import { key, lock } from '../../app/session.ts'
import { Looker } from './look.ts'
import { Paces } from './pace.ts'
import { RunLines } from './run-lines.ts'

/** Milliseconds between two looks at changes. */
const EVERY_MS = 2000
/** Milliseconds between two looks at all, by which deleted runs and new names are found: longer for long lists. */
const ALL_MS = 60_000
const ALL_PER_RUN_MS = 30
/** Milliseconds to which a pause grows while the server does not answer. */
const LONGEST_PAUSE_MS = 30_000

export type Trouble =
  /** The server does not answer; `since` is the moment of the last look that did well (milliseconds since 1970). */
  | { readonly kind: 'away'; readonly since: number | undefined }
  /** The question cannot be answered, as of a day that is none. */
  | { readonly kind: 'refused'; readonly problem: ApiProblem }

export class RunFeed {
  readonly lines = new RunLines()
  readonly paces = new Paces()
  /** Rises whenever a line is not what it was. */
  readonly moment = signal(0)
  /** True once the whole list has been read. */
  readonly isComplete = signal(false)
  readonly trouble = signal<Trouble | undefined>(undefined)
  private readonly ended = new AbortController()
  private readonly looker: Looker
  private allAt = 0
  private goodAt: number | undefined
  /** Ends the present pause. */
  private wake: () => void = () => {}

  constructor(query: ListQuery) {
    const asking = () => ({ key: key.value, signal: this.ended.signal })
    this.looker = new Looker(
      this.lines,
      (conditions) => listRuns({ ...query, ...conditions }, asking()),
      (page) => this.take(page),
    )
    document.addEventListener('visibilitychange', () => this.wake(), { signal: this.ended.signal })
    addEventListener('online', () => this.wake(), { signal: this.ended.signal })
    void this.follow()
  }

  close(): void {
    this.ended.abort()
    this.wake()
  }

  /** Takes what this page has changed, or has learned about one run. */
  put(about: About, why: 'changed' | 'asked'): void {
    const { notes: _notes, facts: _facts, attributes: _attributes, ...line } = about
    if (why === 'changed') this.lines.put(line)
    // Gone meanwhile, or nothing new.
    else if (this.lines.get(line.rid) === undefined || this.lines.merge([line]).length === 0) return
    this.paces.note(line)
    this.moment.value++
  }

  drop(rid: string): void {
    this.lines.drop(rid)
    this.moment.value++
  }

  private take(page: RunPage): void {
    const news = this.lines.merge(page.runs)
    for (const line of news) this.paces.note(line)
    if (news.length > 0) this.moment.value++
  }

  private async follow(): Promise<void> {
    const { signal } = this.ended
    let pause: number | undefined = EVERY_MS
    while (pause !== undefined && !signal.aborted) {
      const failure = await this.look().catch((error: unknown) => error)
      if (signal.aborted) return
      pause = failure === undefined ? EVERY_MS : this.pauseAfter(failure, pause)
      if (pause !== undefined) await this.rest(pause)
      // Nobody looks: the list is caught up with when somebody does.
      while (document.visibilityState === 'hidden' && !signal.aborted) await this.rest(undefined)
    }
  }

  private async look(): Promise<void> {
    const isDue = Date.now() - this.allAt > ALL_MS + ALL_PER_RUN_MS * this.lines.size
    const before = this.lines.size
    await (isDue ? this.looker.all() : this.looker.changes())
    if (isDue) this.allAt = Date.now()
    this.goodAt = Date.now()
    batch(() => {
      this.isComplete.value = true
      this.trouble.value = undefined
      if (this.lines.size < before) this.moment.value++
    })
  }

  /** Milliseconds until it is worth asking again; undefined where it never is. */
  private pauseAfter(problem: unknown, pause: number): number | undefined {
    if (!(problem instanceof ApiProblem)) throw problem
    if (problem.status === 401) lock('wrong')
    if (!problem.isPassing && problem.status < 500) {
      this.trouble.value = { kind: 'refused', problem }
      return undefined
    }
    this.trouble.value = { kind: 'away', since: this.goodAt }
    return Math.max(1000 * (problem.retryAfter ?? 0), Math.min(LONGEST_PAUSE_MS, 2 * pause))
  }

  private rest(milliseconds: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.ended.signal.aborted) this.wake()
    })
  }
}
