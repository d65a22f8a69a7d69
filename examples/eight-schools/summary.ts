/** Posterior means of a stored run, with the Monte Carlo error that they have. */
import type { Draws, NdArray, Run } from '../../src/client/index.ts'

export interface Estimate {
  readonly name: string
  readonly mean: number
  /** Monte Carlo standard error of the mean, by batch means. */
  readonly mcse: number
}

/** Means of `mu`, `tau` and `theta[1]`, `theta[2]`, … over the draws after warmup of all chains. */
export async function summarise(run: Run): Promise<Estimate[]> {
  const chains = await run.getChains()
  const byName = new Map<string, Float64Array[]>()
  for (const chain of chains) {
    const tune = arrayOf(await chain.getStats('tune'))
    const warmup = tune.dtype === 'bool' ? tune.data.reduce((count, flag) => count + flag, 0) : 0
    for (const name of ['mu', 'tau', 'theta']) {
      const array = arrayOf(await chain.getDraws(name, { start: warmup }))
      if (array.dtype !== 'float64') throw new TypeError(`"${name}" is ${array.dtype}`)
      for (const [label, values] of elements(name, array.data, array.shape[1])) {
        byName.set(label, [...(byName.get(label) ?? []), values])
      }
    }
  }
  return [...byName].map(([name, values]) => ({ name, mean: meanOf(values.map(meanOf)), mcse: errorOf(values) }))
}

function arrayOf(draws: Draws): NdArray {
  if ('dtype' in draws) return draws
  throw new TypeError('these draws have no fixed shape')
}

/** The draws of each element; those of a vector are counted from 1, as in Stan. */
function* elements(name: string, data: Float64Array, size: number | undefined): Generator<[string, Float64Array]> {
  if (size === undefined) yield [name, data]
  else {
    for (let i = 0; i < size; i++) yield [`${name}[${i + 1}]`, data.filter((_, position) => position % size === i)]
  }
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0
  return sum / values.length
}

/** Batch means with batches of about √n draws (Flegal, Haran and Jones 2008), which are nearly independent. */
function errorOf(chains: readonly Float64Array[]): number {
  const means = chains.flatMap((values) => {
    const size = Math.max(1, Math.floor(Math.sqrt(values.length)))
    const batches = Math.floor(values.length / size)
    return Array.from({ length: batches }, (_, b) => meanOf(values.subarray(b * size, (b + 1) * size)))
  })
  const centre = meanOf(means)
  const variance = means.reduce((sum, mean) => sum + (mean - centre) ** 2, 0) / (means.length - 1)
  return Math.sqrt(variance / means.length)
}
