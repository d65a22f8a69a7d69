/** Answers about the distribution of one scalar: densities, and ranks. */
import { brushedValues } from './brushed.ts'
import type { Part } from './chains.ts'
import { type Bounds, pointwiseBounds, tailOf } from './compute/bands.ts'
import { distributionsOf } from './compute/density.ts'
import { hypergeometric, quantileIn } from './compute/hypergeometric.ts'
import { differences, ranksUpTo, withinParts } from './compute/ranks.ts'
import { finiteSortedOf, type Sorted, sortedOf } from './compute/sorted.ts'
import type { Desk } from './desk.ts'
import type { Answer, Ask, Brush, Density, Ranks } from './questions.ts'
import type { Steps } from './turns.ts'

export async function answerDensity(desk: Desk, ask: Ask<'density'>): Promise<Answer<'density'>> {
  const { parts } = await desk.moment(ask.choice)
  const [draws = []] = await desk.draws([ask.scalar], parts)
  const areWhole = ask.whole === 'by values' && draws.every((values) => values.every(Number.isInteger))
  return desk.compute(densityIn(parts, draws, { ...ask, isWhole: areWhole || isWhole(desk, ask.scalar) }))
}

export function isWhole(desk: Desk, scalar: Ask<'density'>['scalar']): boolean {
  const { dtype } = desk.spec(scalar)
  return dtype !== 'float64' && dtype !== 'float32'
}

export interface DensityAsk {
  readonly points: number
  readonly isWhole: boolean
  readonly brush?: Brush | undefined
  /** The finite draws in order, where somebody has them. */
  readonly sorted?: Sorted | undefined
}

export function* densityIn(
  parts: readonly Part[],
  draws: readonly Float64Array[],
  { points, isWhole, brush, sorted: given }: DensityAsk,
): Steps<Density & { readonly brushed?: Float64Array }> {
  const sorted = given ?? (yield* finiteSortedOf(draws))
  const [some] = brush === undefined ? [] : brushedValues(parts, [draws], brush)
  const brushed = some?.filter(Number.isFinite).sort()
  yield
  const { chains, ...rest } = yield* distributionsOf({ sorted, brushed, points, isWhole })
  const named = parts.map(({ chain }, i) => ({ chain, y: chains[i] ?? new Float64Array() }))
  return { ...rest, chains: named }
}

export async function answerRanks(
  desk: Desk,
  { scalar, choice, bins, points }: Ask<'ranks'>,
): Promise<Answer<'ranks'>> {
  const { parts, draws } = await desk.moment(choice)
  const [chains = []] = await desk.draws([scalar], parts)
  return desk.compute(ranksOf(parts, chains, draws, { bins, points }))
}

export interface RanksAsk {
  /** Parts of the ranks. */
  readonly bins: number
  readonly points: number
  /** The draws in order, where somebody has them. */
  readonly sorted?: Sorted | undefined
}

export function* ranksOf(
  parts: readonly Part[],
  chains: readonly Float64Array[],
  draws: number,
  { bins, points: most, sorted: given }: RanksAsk,
): Steps<Ranks> {
  const points = Math.max(1, Math.min(most, draws))
  const x = Float64Array.from({ length: points + 1 }, (_, i) => i / points)
  const { lower, upper } = yield* bandOf({ chains: parts.length, draws, points })
  const inBin = hypergeometric(parts.length * draws, draws, Math.round((parts.length * draws) / bins))
  yield
  // Among NaN there is no order.
  const sorted = given ?? (chains.some((values) => values.some(Number.isNaN)) ? undefined : yield* sortedOf(chains))
  const inBins = sorted && ranksUpTo(sorted, bins)
  const upTo = sorted && ranksUpTo(sorted, points)
  return {
    chains: parts.map(({ chain }, i) => ({
      chain,
      bins: withinParts(inBins?.[i] ?? new Float64Array(bins).fill(Number.NaN)),
      difference: differences(upTo?.[i] ?? new Float64Array(points).fill(Number.NaN)),
    })),
    expected: draws / bins,
    interval: [quantileIn(inBin, 0.025), quantileIn(inBin, 0.975)],
    x,
    lower,
    upper,
  }
}

/** Draws up to which the pointwise coverage is that of as many; from there on it hardly moves. */
const FEW_DRAWS = 128
const MANY_DRAWS = 2048
/** Coverages that were found, by chains, draws and points. */
const tails = new Map<string, number>()

/** The band of differences, whose ends are 0. */
function* bandOf({ chains, draws, points }: { chains: number; draws: number; points: number }): Steps<Bounds> {
  const near = { chains, points, draws: draws <= FEW_DRAWS ? draws : nearDraws(draws) }
  const name = `${chains}/${near.draws}/${points}`
  const tail = tails.get(name) ?? (yield* tailOf(near))
  tails.set(name, tail)
  const bounds = pointwiseBounds({ chains, draws, points }, tail)
  const closed = (counts: Float64Array) => {
    const band = new Float64Array(points + 1)
    for (const [i, count] of counts.entries()) band[i + 1] = count / draws - (i + 1) / points
    return band
  }
  return { lower: closed(bounds.lower), upper: closed(bounds.upper) }
}

/** A number of draws near to this one, of four in each doubling, so that a chain that grows needs few coverages. */
function nearDraws(draws: number): number {
  return Math.round(2 ** (Math.round(4 * Math.log2(Math.min(MANY_DRAWS, draws))) / 4))
}
