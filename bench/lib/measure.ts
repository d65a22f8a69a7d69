/** Rates and ratios. Two things that are compared take turns, so that both meet the same machine. */

/** Steps a second while all workers repeat theirs for `seconds`. */
export async function rate(workers: number, seconds: number, step: (worker: number) => Promise<void>): Promise<number> {
  let steps = 0
  const begun = performance.now()
  const end = begun + seconds * 1000
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      while (performance.now() < end) {
        await step(worker)
        steps++
      }
    }),
  )
  return steps / ((performance.now() - begun) / 1000)
}

export async function seconds(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/**
 * Runs measurements in turns, after a round that does not count; the first of a round is the second's in the next one. Returns the
 * values of each, one a round.
 */
export async function turns(rounds: number, ...measures: readonly (() => Promise<number>)[]): Promise<number[][]> {
  const values = measures.map((): number[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < measures.length; turn++) {
      const at = (round + turn) % measures.length
      const value = await measures[at]?.()
      if (round > 0 && value !== undefined) values[at]?.push(value)
    }
  }
  return values
}

/** The median over rounds of one value by the other: for things that differ by less than a disk does between two seconds. */
export function medianRatio(values: readonly number[], by: readonly number[]): number {
  return median(values.map((value, round) => value / (by[round] ?? Number.NaN)))
}

/** The median over rounds of the ratio of two measurements that take turns. */
export async function pairedRatio(
  rounds: number,
  first: () => Promise<number>,
  second: () => Promise<number>,
): Promise<number> {
  const [a = [], b = []] = await turns(rounds, first, second)
  return medianRatio(a, b)
}

/** Both medians of two measurements that take turns. */
export async function compare(
  rounds: number,
  first: () => Promise<number>,
  second: () => Promise<number>,
): Promise<[number, number]> {
  const [a = [], b = []] = await turns(rounds, first, second)
  return [median(a), median(b)]
}
