/** One run for all who watch its diagnostics in this process: when they are computed anew, and who is told of them. */
import { isNews, type RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import type { RunSummary } from '../core/interfaces.ts'

/** Growth, as a factor, from which on figures are computed anew. */
const MUCH = 1.25
/** Milliseconds without growth after which the last draws are computed as well: a summary then takes the run for one that rests. */
const REST_MS = 2100
/** Milliseconds after the last write from which on a run is at rest. */
const RESTED_MS = 2000
/** Milliseconds in which lengths of several chains are told together. */
const TOGETHER_MS = 100
/** Milliseconds after a computation that failed before there is another. */
const RETRY_MS = 30_000

/** Computes and keeps figures, unless they are no longer wanted when their turn comes. */
type Compute = (isWanted: () => boolean) => Promise<void>

/** True where a run had been at rest when its figures were asked for: before, they may be of fewer draws. */
export function isOfAllDraws({ at }: RunDiagnostics, updatedAt: Date): boolean {
  return Date.parse(at) - updatedAt.getTime() >= RESTED_MS
}

export interface DiagnosticsWatcher {
  /** The run has these figures now; told once more, they change nothing. */
  diagnosed(diagnostics: RunDiagnostics): void
}

export class Followed {
  private readonly about: () => Promise<RunSummary>
  private readonly compute: Compute | undefined
  private readonly watchers = new Set<DiagnosticsWatcher>()
  private readonly lengths = new Map<number, number>()
  private latest: RunDiagnostics | undefined
  /** Draws of all chains as they are now, when figures were computed last, and when they were while the run rested. */
  private draws = 0
  private computed = 0
  private settled = 0
  /** True while nothing may be computed: the stored figures are not known yet, or there is a computation. */
  private isBusy = true
  private timer: ReturnType<typeof setTimeout> | undefined
  private isSoon = false
  /** Time of `performance.now()` before which nothing is computed. */
  private notBefore = 0

  /** @param compute absent where nothing is computed for those who watch */
  constructor(about: () => Promise<RunSummary>, compute: Compute | undefined) {
    this.about = about
    this.compute = compute
    void this.begin()
  }

  join(watcher: DiagnosticsWatcher): void {
    this.watchers.add(watcher)
    if (this.latest !== undefined) watcher.diagnosed(this.latest)
  }

  /** True when nobody is left. */
  leave(watcher: DiagnosticsWatcher): boolean {
    this.watchers.delete(watcher)
    if (this.watchers.size > 0) return false
    clearTimeout(this.timer)
    return true
  }

  grown(chain: number, length: number): void {
    const before = this.lengths.get(chain) ?? 0
    if (length <= before) return
    this.lengths.set(chain, length)
    this.draws += length - before
    this.plan()
  }

  tell(diagnostics: RunDiagnostics): void {
    const { latest } = this
    if (latest !== undefined && (diagnostics.at < latest.at || !isNews(latest, diagnostics))) return
    this.latest = diagnostics
    for (const watcher of this.watchers) watcher.diagnosed(diagnostics)
  }

  /** Tells what is stored. Nothing is computed where that is of all draws. */
  private async begin(): Promise<void> {
    try {
      const { diagnostics, updatedAt, draws } = await this.about()
      if (diagnostics !== null) {
        this.tell(diagnostics)
        if (diagnostics.status !== null && isOfAllDraws(diagnostics, updatedAt)) this.computed = this.settled = draws
      }
    } catch {
      // The next computation meets the same storage.
    }
    this.isBusy = false
    this.plan()
  }

  private plan(): void {
    const { compute } = this
    if (compute === undefined || this.isBusy || this.isSoon || this.watchers.size === 0) return
    clearTimeout(this.timer)
    if (this.draws === this.settled) return
    this.isSoon = this.draws >= MUCH * this.computed
    const pause = Math.max(this.isSoon ? TOGETHER_MS : REST_MS, this.notBefore - performance.now())
    this.timer = setTimeout(() => void this.work(compute), pause)
  }

  private async work(compute: Compute): Promise<void> {
    const isSoon = this.isSoon
    this.isSoon = false
    this.isBusy = true
    let draws = this.draws
    const isWanted = () => {
      draws = this.draws
      return this.watchers.size > 0
    }
    try {
      await compute(isWanted)
      this.computed = draws
      // While a run grows, figures may be of a moment before.
      if (!isSoon) this.settled = draws
    } catch {
      this.notBefore = performance.now() + RETRY_MS
    }
    this.isBusy = false
    this.plan()
  }
}
