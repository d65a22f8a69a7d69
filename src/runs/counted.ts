/** Counts of one run for all who watch it in this process. */
import { LEAST_DRAWS } from '../core/diagnostics/checks/checks.ts'
import type { RunCounts } from '../core/summary/run-counts.ts'

/** Milliseconds between two counts at least, and in units of what the last one took: growth in between is counted together. */
const REST_MS = 1000
const RESTS = 10

export interface CountsWatcher {
  /** The run has these counts now. */
  counted(counts: RunCounts): void
}

export class Counted {
  private readonly count: () => Promise<RunCounts>
  private readonly watchers = new Set<CountsWatcher>()
  private latest: RunCounts | undefined
  private isWaiting = false
  private hasGrown = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(count: () => Promise<RunCounts>) {
    this.count = count
  }

  join(watcher: CountsWatcher): void {
    this.watchers.add(watcher)
    if (this.latest !== undefined) watcher.counted(this.latest)
  }

  leave(watcher: CountsWatcher): void {
    this.watchers.delete(watcher)
    if (this.watchers.size === 0) clearTimeout(this.timer)
  }

  grown(): void {
    this.hasGrown = true
    if (this.isWaiting) return
    this.isWaiting = true
    void this.work()
  }

  /** Counts, rests, and counts again what has come meanwhile. */
  private async work(): Promise<void> {
    this.hasGrown = false
    const begun = performance.now()
    try {
      this.tell(await this.count())
    } catch {
      // The storage's failures are told to those who ask it; the next growth is counted again.
    }
    const rest = Math.max(REST_MS, RESTS * (performance.now() - begun))
    this.timer = setTimeout(() => {
      if (this.hasGrown && this.watchers.size > 0) void this.work()
      else this.isWaiting = false
    }, rest)
    if (this.watchers.size === 0) clearTimeout(this.timer)
  }

  private tell(counts: RunCounts): void {
    if (counts.draws < LEAST_DRAWS) return
    this.latest = counts
    for (const watcher of this.watchers) watcher.counted(counts)
  }
}
