/** M4 by its definition, draw by draw: for tests to compare with. */

type Ordered = number | bigint

/** Iterations that a trace keeps of one element of one chain. `values` are those of the chain from iteration `start` on. */
export function m4(values: readonly Ordered[], buckets: { start: number; stop: number; count: number }): number[] {
  const { start, stop, count } = buckets
  const members: number[][] = Array.from({ length: count }, () => [])
  for (let at = start; at < Math.min(stop, start + values.length); at++) {
    // The bucket b with ⌊b·n/count⌋ ≤ at - start < ⌊(b + 1)·n/count⌋.
    const bucket = Math.ceil(((at - start + 1) * count) / (stop - start)) - 1
    members[bucket]?.push(at)
  }
  return members.flatMap((bucket) => keptOf(bucket, (at) => values[at - start] ?? 0))
}

function keptOf(bucket: readonly number[], valueAt: (at: number) => Ordered): number[] {
  if (bucket.length <= 4) return [...bucket]
  const isNaNAt = (at: number) => Number.isNaN(valueAt(at))
  const numbers = bucket.filter((at) => !isNaNAt(at))
  const [first = 0, last = 0] = [bucket[0], bucket.at(-1)]
  const kept = new Set([first, last])
  const [one] = numbers
  if (one !== undefined) {
    kept.add(numbers.reduce((least, at) => (valueAt(at) < valueAt(least) ? at : least), one))
    kept.add(numbers.reduce((greatest, at) => (valueAt(at) > valueAt(greatest) ? at : greatest), one))
  }
  const nan = bucket.find(isNaNAt)
  if (nan !== undefined && !isNaNAt(first) && !isNaNAt(last)) kept.add(nan)
  return [...kept].sort((a, b) => a - b)
}
