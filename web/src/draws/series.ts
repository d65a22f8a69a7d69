/** Draws that are kept: of one element of one column in one chain a typed array that grows, all of them within a budget. */

/** Consecutive draws from iteration `first` on. A view of them stays as it is: draws are added, and never changed. */
export class Series {
  readonly first: number
  private memory = new Float64Array(0)
  private length = 0

  constructor(first: number) {
    this.first = first
  }

  /** Iteration behind the last draw. */
  get end(): number {
    return this.first + this.length
  }

  get bytes(): number {
    return this.memory.byteLength
  }

  /** Draws from iteration `from` to before `to`, which are there. */
  view(from: number, to: number): Float64Array<ArrayBuffer> {
    return this.memory.subarray(from - this.first, to - this.first)
  }

  /**
   * Takes draws that follow on those that are here; what is here already is passed over, and so is what would leave a gap.
   *
   * @param source numbers of consecutive draws from iteration `start` on, `step` numbers a draw, this element's at `offset`
   */
  add(start: number, source: ArrayLike<number | bigint>, offset: number, step: number): void {
    const count = source.length / step
    if (start > this.end || start + count <= this.end) return
    const known = this.end - start
    this.reserve(this.length + count - known)
    const { memory } = this
    let place = this.length
    if (step === 1 && source instanceof Float64Array) memory.set(source.subarray(known), place)
    else for (let i = known; i < count; i++) memory[place++] = Number(source[offset + i * step])
    this.length += count - known
  }

  private reserve(length: number): void {
    const { memory } = this
    if (memory.length >= length) return
    const larger = new Float64Array(memory.length === 0 ? length : Math.max(length, 2 * memory.length))
    larger.set(memory.subarray(0, this.length))
    this.memory = larger
  }
}

/** Series by name. Beyond the budget, those that were used longest ago are forgotten; who computes with one keeps it that long. */
export class Shelf {
  private readonly entries = new Map<string, Series>()
  private readonly budget: number
  private total = 0

  /** @param budget bytes */
  constructor(budget: number) {
    this.budget = budget
  }

  get bytes(): number {
    return this.total
  }

  /** The series of this name; an empty one where there is none. */
  of(name: string, first: number): Series {
    const series = this.entries.get(name) ?? new Series(first)
    this.entries.delete(name)
    this.entries.set(name, series)
    return series
  }

  /** Lets a series of this name grow, and others go where there is too much then. */
  grow(name: string, series: Series, by: (series: Series) => void): void {
    const before = series.bytes
    by(series)
    if (this.entries.get(name) !== series) return
    this.total += series.bytes - before
    for (const [oldest, each] of this.entries) {
      if (this.total <= this.budget) return
      if (each !== series) this.drop(oldest, each)
    }
  }

  /** Forgets all series whose names begin so. */
  forget(prefix: string): void {
    for (const [name, series] of this.entries) if (name.startsWith(prefix)) this.drop(name, series)
  }

  private drop(name: string, series: Series): void {
    this.entries.delete(name)
    this.total -= series.bytes
  }
}
