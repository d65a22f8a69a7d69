/** The watchers of runs in this process, told by its own writers, and by `Looks` of those that are elsewhere. */
import type { RunWatcher } from '../core/store.ts'

export interface WatchedRun {
  readonly rid: string
  readonly registration: string
}

interface Watch {
  readonly registration: string
  readonly watcher: RunWatcher
}

export class LocalWatches {
  private readonly byRun = new Map<string, Set<Watch>>()

  /** Adds a watch; the returned function ends it. */
  add({ rid, registration }: WatchedRun, watcher: RunWatcher): () => void {
    const watch = { registration, watcher }
    const watches = this.byRun.get(rid) ?? new Set()
    this.byRun.set(rid, watches.add(watch))
    return () => {
      watches.delete(watch)
      if (watches.size === 0 && this.byRun.get(rid) === watches) this.byRun.delete(rid)
    }
  }

  grown({ rid, registration }: WatchedRun, chain: number, length: number): void {
    for (const watch of this.byRun.get(rid) ?? []) {
      if (watch.registration === registration) watch.watcher.grown(chain, length)
    }
  }

  /** Tells all watchers of the run that had this rid until now. */
  deleted(rid: string): void {
    for (const { watcher } of this.byRun.get(rid) ?? []) watcher.deleted()
    this.byRun.delete(rid)
  }

  /** This registration is no run any more. */
  gone({ rid, registration }: WatchedRun): void {
    const watches = this.byRun.get(rid) ?? new Set()
    for (const watch of watches) {
      if (watch.registration !== registration) continue
      watches.delete(watch)
      watch.watcher.deleted()
    }
  }

  /** No run is left. */
  allDeleted(): void {
    for (const rid of [...this.byRun.keys()]) this.deleted(rid)
  }

  /** Ends all watches, as a server does that stops. */
  end(): void {
    for (const watches of this.byRun.values()) for (const { watcher } of watches) watcher.lost()
    this.byRun.clear()
  }
}
