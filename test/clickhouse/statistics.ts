/** Statistics of draws, from their definitions, to compare the answers of docs/sql.md with. */

type Sequence = readonly number[]

export function sum(values: Sequence): number {
  return values.reduce((total, value) => total + value, 0)
}

export function mean(values: Sequence): number {
  return sum(values) / values.length
}

/** With n − 1 in the denominator. */
export function variance(values: Sequence): number {
  const centre = mean(values)
  return sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1)
}

/** Linear between order statistics: type 7 of Hyndman and Fan (1996). */
export function quantile(values: Sequence, level: number): number {
  const sorted = Float64Array.from(values).sort()
  const place = level * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (place - Math.floor(place)) * (above - below)
}

/** Gelman et al., Bayesian Data Analysis, 3rd edition, (11.3) and (11.4), with each chain split in two. */
export function splitRhat(chains: readonly Sequence[]): number {
  const halves = chains.flatMap((chain) => {
    const n = Math.floor(chain.length / 2)
    return [chain.slice(0, n), chain.slice(chain.length - n)]
  })
  const n = mean(halves.map((half) => half.length))
  const between = n * variance(halves.map(mean))
  const within = mean(halves.map(variance))
  return Math.sqrt((((n - 1) / n) * within + between / n) / within)
}

export function autocorrelation(values: Sequence, lag: number): number {
  const centre = mean(values)
  const products = values.slice(lag).map((value, i) => (value - centre) * ((values[i] ?? Number.NaN) - centre))
  return sum(products) / (variance(values) * (values.length - 1))
}

/** Means of consecutive batches of each chain are taken as independent. */
export function batchMeans(chains: readonly Sequence[], size: number): { mcse: number; ess: number } {
  const means = chains.flatMap((chain) =>
    Array.from({ length: chain.length / size }, (_, i) => mean(chain.slice(i * size, (i + 1) * size))),
  )
  const mcse = Math.sqrt(variance(means) / means.length)
  return { mcse, ess: variance(chains.flat()) / mcse ** 2 }
}
