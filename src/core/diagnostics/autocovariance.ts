/**
 * Autocovariances of chains, as many lags as are asked for. The first ones are sums of products, since Geyer's sequence
 * mostly ends soon; behind those all lags at once come from a Fourier transform (Wiener and Khinchin).
 */
import FFT from 'fft.js'
import type { Convention } from './convention.ts'
import type { Autocovariances } from './geyer.ts'
import { chainMean, type Parts, refinedMean, varianceOfMeans } from './moments.ts'

/** Lags that are sums of products: as many cost as much as a transform. */
const DIRECT = 64
/** Lags of one pass over the values. */
const LAGS = 4

/** Memory for the autocovariances of `chains` chains of `length` values. */
export class Autocovariance implements Autocovariances {
  readonly chains: number
  readonly length: number
  between = 0
  private readonly parts: Parts
  private readonly centred: Float64Array
  private readonly means: Float64Array
  private readonly lags: Float64Array
  /** Lags that are known. */
  private known = 0
  private transform: Transform | undefined

  constructor(chains: number, length: number, parts: Parts) {
    this.parts = parts
    this.chains = chains
    this.length = length
    this.centred = new Float64Array(chains * length)
    this.means = new Float64Array(chains)
    this.lags = new Float64Array(length + LAGS)
  }

  /** Begins with other values: chain after chain, `chains` × `length` of them. */
  of(values: Float64Array, convention: Convention): this {
    const { chains, length, centred, means } = this
    for (let chain = 0; chain < chains; chain++) {
      const begin = chain * length
      const mean = chainMean(convention, values, begin, begin + length)
      means[chain] = mean
      // R's mean, other than that of chains, adds in eighty bits and twice.
      const centre = convention === 'posterior' ? refinedMean(values, mean, begin, begin + length) : mean
      for (let i = begin; i < begin + length; i++) centred[i] = (values[i] as number) - centre
    }
    this.between = varianceOfMeans(convention, means, this.parts)
    this.known = 0
    return this
  }

  at(lag: number): number {
    if (lag >= this.known) this.extend(lag)
    return this.lags[lag] as number
  }

  private extend(lag: number): void {
    const { chains, length, centred, lags } = this
    if (lag >= DIRECT && length > 2 * DIRECT) {
      this.transform ??= new Transform(length)
      this.transform.autocovariances(centred, chains, lags)
      this.known = length
      return
    }
    for (; this.known <= lag; this.known += LAGS) products(centred, chains, length, this.known, lags)
  }
}

/** Four lags from `lag` on; those beyond the length are 0. */
function products(centred: Float64Array, chains: number, length: number, lag: number, lags: Float64Array): void {
  const sums = [0, 0, 0, 0] as [number, number, number, number]
  // Sums of each chain on their own: fewer terms, fewer digits lost.
  for (let chain = 0; chain < chains; chain++) addProducts(centred, chain * length, (chain + 1) * length, lag, sums)
  for (let i = 0; i < LAGS; i++) lags[lag + i] = (sums[i] as number) / length / chains
}

/** Adds the products of one chain. Each number is loaded once for four values, and stays at hand for as many lags. */
function addProducts(
  centred: Float64Array,
  begin: number,
  end: number,
  lag: number,
  sums: [number, number, number, number],
): void {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0]
  let i = begin
  let j = begin + lag
  if (j + 6 < end) {
    let [next0, next1, next2] = [centred[j] as number, centred[j + 1] as number, centred[j + 2] as number]
    for (; j + 6 < end; i += 4, j += 4) {
      const value0 = centred[i] as number
      const value1 = centred[i + 1] as number
      const value2 = centred[i + 2] as number
      const value3 = centred[i + 3] as number
      const next3 = centred[j + 3] as number
      const next4 = centred[j + 4] as number
      const next5 = centred[j + 5] as number
      const next6 = centred[j + 6] as number
      sum0 += value0 * next0 + value1 * next1 + (value2 * next2 + value3 * next3)
      sum1 += value0 * next1 + value1 * next2 + (value2 * next3 + value3 * next4)
      sum2 += value0 * next2 + value1 * next3 + (value2 * next4 + value3 * next5)
      sum3 += value0 * next3 + value1 * next4 + (value2 * next5 + value3 * next6)
      next0 = next4
      next1 = next5
      next2 = next6
    }
  }
  for (; j < end; i++, j++) {
    const value = centred[i] as number
    sum0 += value * (centred[j] as number)
    if (j + 1 < end) sum1 += value * (centred[j + 1] as number)
    if (j + 2 < end) sum2 += value * (centred[j + 2] as number)
    if (j + 3 < end) sum3 += value * (centred[j + 3] as number)
  }
  sums[0] += sum0
  sums[1] += sum1
  sums[2] += sum2
  sums[3] += sum3
}

/** Memory of a transform that holds a chain and as many zeros. */
class Transform {
  private readonly size: number
  private readonly fft: FFT
  private readonly input: Float64Array
  private readonly output: Float64Array
  private readonly power: Float64Array

  constructor(length: number) {
    let size = 2
    while (size < 2 * length) size *= 2
    this.size = size
    this.fft = new FFT(size)
    this.input = new Float64Array(2 * size)
    this.output = new Float64Array(2 * size)
    this.power = new Float64Array(size)
  }

  /** Means over the chains of the biased autocovariances at every lag. */
  autocovariances(centred: Float64Array, chains: number, lags: Float64Array): void {
    const { size, input, output, power, fft } = this
    const length = centred.length / chains
    power.fill(0)
    // Two chains at a time, as real and imaginary parts: what they have in common is odd, and falls out of the symmetric sum below.
    for (let chain = 0; chain < chains; chain += 2) {
      input.fill(0)
      for (let i = 0; i < length; i++) input[2 * i] = centred[chain * length + i] as number
      if (chain + 1 < chains) {
        for (let i = 0; i < length; i++) input[2 * i + 1] = centred[(chain + 1) * length + i] as number
      }
      fft.transform(output, input)
      for (let i = 0; i < size; i++) {
        const real = output[2 * i] as number
        const imaginary = output[2 * i + 1] as number
        power[i] = (power[i] as number) + real * real + imaginary * imaginary
      }
    }
    input.fill(0)
    for (let i = 0; i < size; i++) {
      const mirrored = power[i === 0 ? 0 : size - i] as number
      input[2 * i] = ((power[i] as number) + mirrored) / 2
    }
    fft.transform(output, input)
    for (let lag = 0; lag < length; lag++) lags[lag] = (output[2 * lag] as number) / size / length / chains
  }
}
