/** Work of the storage thread, gathered until a reply takes it along: messages of its own would cost more than it tells. */
import type { StoreObserver } from '../../core/store.ts'
import type { Done } from './protocol.ts'

/** Commits that are remembered at most; one call of a deletion may make thousands before there is a reply. */
const MOST_COMMITS = 4096

export class Doings implements StoreObserver {
  private draws = 0
  private bytes = 0
  private commits: number[] = []

  appended(draws: number, bytes: number): void {
    this.draws += draws
    this.bytes += bytes
  }

  committed(seconds: number): void {
    if (this.commits.length < MOST_COMMITS) this.commits.push(seconds)
  }

  /** Takes the work since the last time; undefined when there was none. */
  take(): Done | undefined {
    const { draws, bytes, commits } = this
    if (draws === 0 && commits.length === 0) return undefined
    this.draws = 0
    this.bytes = 0
    this.commits = []
    return { draws, bytes, commits }
  }
}
