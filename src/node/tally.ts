/** Counts of all that is stored. The storage thread adds to them without a message; whoever asks for figures reads them. */
import type { StoreObserver } from '../core/store.ts'
import { cellsOf, Histogram } from './histogram.ts'

/** Seconds of a commit: a good disk takes less than a thousandth of one. */
const COMMIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const TOTALS = 2

export class Tally implements StoreObserver {
  /** Memory of the counts, which another thread makes a tally of its own of. */
  readonly memory: SharedArrayBuffer
  readonly commits: Histogram
  /** Draws, and bytes of the batches that brought them. One thread writes; a number of 64 bits is read whole. */
  private readonly totals: Float64Array

  constructor(memory = new SharedArrayBuffer((TOTALS + cellsOf(COMMIT_SECONDS)) * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    const cells = new Float64Array(memory)
    this.totals = cells.subarray(0, TOTALS)
    this.commits = new Histogram(COMMIT_SECONDS, cells.subarray(TOTALS))
  }

  get draws(): number {
    return this.totals[0] ?? 0
  }

  get bytes(): number {
    return this.totals[1] ?? 0
  }

  appended(draws: number, bytes: number): void {
    this.totals[0] = this.draws + draws
    this.totals[1] = this.bytes + bytes
  }

  committed(seconds: number): void {
    this.commits.observe(seconds)
  }
}
