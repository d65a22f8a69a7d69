/** Counts of values by size, in memory that threads may share; the library's own are slower than what they would measure. */

export class Histogram {
  private readonly bounds: readonly number[]
  /** A count for each bound, one for what lies beyond, and the sum. */
  private readonly cells: Float64Array

  constructor(bounds: readonly number[], cells: Float64Array = new Float64Array(cellsOf(bounds))) {
    this.bounds = bounds
    this.cells = cells
  }

  observe(value: number): void {
    const { bounds, cells } = this
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++
    const sum = bounds.length + 1
    cells[at] = (cells[at] ?? 0) + 1
    cells[sum] = (cells[sum] ?? 0) + value
  }

  /**
   * Lines of Prometheus's text format.
   *
   * @param labels as they are written, with nothing in them that would have to be escaped; empty for none
   */
  lines(name: string, labels: string): string[] {
    const { bounds, cells } = this
    let count = 0
    const lines = [...bounds, '+Inf'].map((bound, at) => {
      count += cells[at] ?? 0
      return `${name}_bucket{${labels === '' ? '' : `${labels},`}le="${bound}"} ${count}`
    })
    const set = labels === '' ? '' : `{${labels}}`
    return [...lines, `${name}_sum${set} ${cells[bounds.length + 1]}`, `${name}_count${set} ${count}`]
  }
}

/** Cells that a histogram of these bounds takes. */
export function cellsOf(bounds: readonly number[]): number {
  return bounds.length + 2
}
