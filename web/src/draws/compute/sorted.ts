/** Draws in rising order, of each chain and of all, for what looks at ranks and at distributions. */
import type { Steps } from '../turns.ts'

type Numbers = Float64Array<ArrayBuffer>

export interface Sorted {
  readonly chains: readonly Numbers[]
  readonly all: Numbers
}

/** True where all numbers are finite. */
export function areFinite(values: Float64Array): boolean {
  let sum = 0
  // x - x is 0 for what is finite, and NaN for all else.
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) - (values[i] as number)
  return sum === 0
}

/** Draws in order. NaN comes behind all others. */
export function* sortedOf(chains: readonly Float64Array[]): Steps<Sorted> {
  const sorted: Numbers[] = []
  for (const values of chains) {
    sorted.push(new Float64Array(values).sort())
    yield
  }
  let merged: readonly Numbers[] = sorted
  while (merged.length > 1) {
    const pairs: Numbers[] = []
    for (let i = 0; i < merged.length; i += 2) {
      const [one, other] = [merged[i], merged[i + 1]]
      if (one !== undefined) pairs.push(other === undefined ? one : mergedOf(one, other))
      yield
    }
    merged = pairs
  }
  return { chains: sorted, all: merged[0] ?? new Float64Array() }
}

/** The same without the draws that are not finite. */
export function* finiteSortedOf(chains: readonly Float64Array[]): Steps<Sorted> {
  return yield* sortedOf(chains.map((values) => (areFinite(values) ? values : values.filter(Number.isFinite))))
}

function mergedOf(one: Float64Array, other: Float64Array): Numbers {
  const merged = new Float64Array(one.length + other.length)
  let [i, j] = [0, 0]
  for (let place = 0; place < merged.length; place++) {
    // A number that is not there, and NaN, is less than none.
    const isOne = j >= other.length || (one[i] as number) <= (other[j] as number)
    merged[place] = (isOne && i < one.length ? one[i++] : other[j++]) as number
  }
  return merged
}
