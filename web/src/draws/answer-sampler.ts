/** Answers about the sampler: its energies, and the draws at which something was so. */
import type { Statistic } from '../../../src/core/diagnostics/convention.ts'
import { bfmi } from '../../../src/core/diagnostics/energy.ts'
import { meanOf } from '../../../src/core/diagnostics/moments.ts'
import type { Part } from './chains.ts'
import { densityOf, type Grid, gridOf, middlesOf } from './compute/kde.ts'
import { type Desk, together } from './desk.ts'
import type { Answer, Ask, Energies, EnergyDensities, Marked } from './questions.ts'
import type { Steps } from './turns.ts'

export async function answerEnergies(
  desk: Desk,
  { scalar, choice, convention, points }: Ask<'energies'>,
): Promise<Energies> {
  const { parts, draws } = await desk.moment(choice)
  const [chains = []] = await desk.draws([scalar], parts)
  return desk.compute(energiesOf(parts, chains, { draws, points, bfmi: (energy) => bfmi(energy, convention) }))
}

interface How {
  readonly draws: number
  readonly points: number
  readonly bfmi: (energy: Float64Array) => Statistic
}

function* energiesOf(parts: readonly Part[], chains: readonly Float64Array[], how: How): Steps<Energies> {
  const figures: Statistic[] = []
  for (const chain of chains) {
    figures.push(how.bfmi(chain))
    yield
  }
  const steps = chains.map(stepsOf)
  const whole = { marginal: centred(together(chains)), transition: sorted(together(steps)) }
  yield
  const ends = [
    whole.marginal[0] ?? 0,
    whole.transition[0] ?? 0,
    whole.marginal.at(-1) ?? 0,
    whole.transition.at(-1) ?? 0,
  ]
  const grid = gridOf(Math.min(...ends), Math.max(...ends), how.points)
  const all = densitiesOf(whole, grid)
  yield
  const own: EnergyDensities[] = []
  for (const [i, chain] of chains.entries()) {
    own.push(densitiesOf({ marginal: within(centred(chain), grid), transition: sorted(steps[i] ?? chain) }, grid))
    yield
  }
  return {
    draws: how.draws,
    x: middlesOf(grid),
    all,
    chains: parts.map(({ chain }, i) => ({ chain, bfmi: figures[i] ?? 'too_few', ...(own[i] ?? all) })),
  }
}

/** Changes from draw to draw. */
function stepsOf(energy: Float64Array): Float64Array {
  return energy.subarray(1).map((value, i) => value - (energy[i] as number))
}

function sorted(values: Float64Array): Float64Array {
  return values.filter(Number.isFinite).sort()
}

/** Sorted finite values, less their mean. */
function centred(values: Float64Array): Float64Array {
  const finite = sorted(values)
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length
  return finite.map((value) => value - mean)
}

/** The mean of one chain is not that of all: a few values may lie outside of their range. */
function within(values: Float64Array, { least, greatest }: Grid): Float64Array {
  return values.map((value) => Math.min(greatest, Math.max(least, value)))
}

function densitiesOf({ marginal, transition }: EnergyDensities, grid: Grid): EnergyDensities {
  const density = (values: Float64Array) =>
    values.length > 1 && grid.greatest > grid.least ? densityOf(values, grid) : new Float64Array(grid.bins)
  return { marginal: density(marginal), transition: density(transition) }
}

export async function answerChainMeans(
  desk: Desk,
  { scalar, choice }: Ask<'chainMeans'>,
): Promise<Answer<'chainMeans'>> {
  const { parts } = await desk.moment(choice)
  const [chains = []] = await desk.draws([scalar], parts)
  return parts.map(({ chain }, i) => {
    const values = chains[i] ?? new Float64Array()
    return { chain, draws: values.length, mean: values.length === 0 ? Number.NaN : meanOf(values) }
  })
}

/** Draws at which any of these stats is above 0. */
export async function answerMarked(desk: Desk, { scalars, choice }: Ask<'marked'>): Promise<readonly Marked[]> {
  const parts = await desk.parts(choice)
  const stats = await desk.draws(scalars, parts)
  return desk.compute(markedIn(parts, stats))
}

function* markedIn(parts: readonly Part[], stats: readonly (readonly Float64Array[])[]): Steps<readonly Marked[]> {
  const found: Marked[] = []
  for (const [i, { chain, first, stop, warmup }] of parts.entries()) {
    const at: number[] = []
    for (let draw = 0; draw < stop - first; draw++) {
      if (stats.some((stat) => (stat[i]?.[draw] ?? 0) > 0)) at.push(first + draw)
    }
    found.push({ chain, first, stop, warmup, at: Uint32Array.from(at) })
    yield
  }
  return found
}
