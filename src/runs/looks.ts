/**
 * Looking at runs that others may write, every second while somebody watches them.
 *
 * Each watch has a timer of its own, since a platform may end a request at any time, with all that it waits for. The watch of
 * a run whose timer goes off first looks for all watches of that run.
 */
import { McbError } from '../core/errors.ts'
import type { RunWatcher, Store } from '../core/store.ts'
import type { LocalWatches, WatchedRun } from './watches.ts'

/** Milliseconds from the beginning of a look to that of the next. */
const LOOK_MS = 1000
/** Rest of the storage after a look, at least, as a multiple of the time that the look took. */
const REST_FACTOR = 3
/** Milliseconds after which a look without an answer is taken for one that was cut off, so that another may begin. */
const OVERDUE_MS = 10_000
/** The longest pause between two looks that failed. */
const MAX_PAUSE_MS = 30_000

/** One run, for all its watches here. */
interface Sight {
  watches: number
  /** Time at which the next look may begin, by `performance.now()`; infinite for a run that is gone. */
  due: number
  /** Looks in a row that have failed. */
  failures: number
  /** Lengths by chain, as the last look found them. */
  lengths: Map<number, number>
}

export class Looks {
  private readonly store: Pick<Store, 'chains'>
  private readonly watches: LocalWatches
  private readonly most: number
  private readonly sights = new Map<string, Sight>()

  /** @param most looks of one watch, which is lost with the last: for platforms that count the calls of a request */
  constructor(store: Pick<Store, 'chains'>, watches: LocalWatches, most: number) {
    this.store = store
    this.watches = watches
    this.most = most
  }

  /** Looks at the run until the returned function is called. Its watches are told; `watcher` is the one that looks. */
  begin(run: WatchedRun, watcher: RunWatcher): () => void {
    const sight = this.enter(run)
    let left = this.most
    let timer: ReturnType<typeof setTimeout> | undefined
    const wait = () => {
      if (sight.due === Number.POSITIVE_INFINITY) return
      const pause = Math.min(LOOK_MS, Math.max(1, sight.due - performance.now()))
      timer = setTimeout(() => void wake(), pause)
    }
    const end = () => {
      clearTimeout(timer)
      if (left === 0) return
      left = 0
      this.leave(run, sight)
    }
    const wake = async () => {
      if (performance.now() >= sight.due) {
        await this.look(run, sight)
        if (left === 1) {
          end()
          watcher.lost()
        } else if (left > 0) left--
      }
      if (left > 0) wait()
    }
    wait()
    return end
  }

  private enter({ registration }: WatchedRun): Sight {
    const sight = this.sights.get(registration) ?? {
      watches: 0,
      due: performance.now() + LOOK_MS,
      failures: 0,
      lengths: new Map(),
    }
    sight.watches++
    this.sights.set(registration, sight)
    return sight
  }

  private leave({ registration }: WatchedRun, sight: Sight): void {
    sight.watches--
    if (sight.watches === 0) this.sights.delete(registration)
  }

  /** Tells what has changed; a storage that fails is asked again after a while, and ends no watch. */
  private async look(run: WatchedRun, sight: Sight): Promise<void> {
    const begun = performance.now()
    sight.due = begun + OVERDUE_MS
    try {
      const chains = await this.store.chains(run.registration)
      for (const { chain, length } of chains) {
        if (sight.lengths.get(chain) !== length) this.watches.grown(run, chain, length)
      }
      sight.lengths = new Map(chains.map(({ chain, length }) => [chain, length]))
      sight.failures = 0
      const now = performance.now()
      sight.due = Math.max(begun + LOOK_MS, now + REST_FACTOR * (now - begun))
    } catch (error) {
      if (error instanceof McbError && error.code === 'run_not_found') {
        sight.due = Number.POSITIVE_INFINITY
        this.watches.gone(run)
        return
      }
      sight.failures++
      const pause = Math.min(MAX_PAUSE_MS, LOOK_MS * 2 ** sight.failures)
      sight.due = performance.now() + pause * (0.5 + Math.random() / 2)
    }
  }
}
