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
 * The ratio of two measurements, as the median over pairs of turns; the order changes from pair to pair. For
 * measurements that differ by less than a disk does from one second to the next.
 */
export async function pairedRatio(
  pairs: number,
  first: () => Promise<number>,
  second: () => Promise<number>,
): Promise<number> {
  const ratios: number[] = []
  for (let pair = 0; pair <= pairs; pair++) {
    const before = pair % 2 === 0 ? await first() : undefined
    const b = await second()
    const a = before ?? (await first())
    if (pair > 0) ratios.push(a / b)
  }
  return median(ratios)
}

/** Runs two measurements in turns, after one turn each that does not count, and returns both medians. */
export async function compare(
  rounds: number,
  first: () => Promise<number>,
  second: () => Promise<number>,
): Promise<[number, number]> {
  const a: number[] = []
  const b: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const x = await first()
    const y = await second()
    if (round === 0) continue
    a.push(x)
    b.push(y)
  }
  return [median(a), median(b)]
}
