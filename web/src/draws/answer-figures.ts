/** Answers with figures of one scalar: effective sample sizes, errors, autocorrelations and quantiles, as the API computes them. */
import { Autocovariance } from '../../../src/core/diagnostics/autocovariance.ts'
import type { Convention, Statistic } from '../../../src/core/diagnostics/convention.ts'
import { essBulk, essLocal, essQuantile, essTail } from '../../../src/core/diagnostics/ess.ts'
import { mcseMean, mcseQuantile, mcseSd } from '../../../src/core/diagnostics/mcse.ts'
import { mean, quantile, sd } from '../../../src/core/diagnostics/quantiles.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import type { Moment } from './chains.ts'
import { type Desk, together } from './desk.ts'
import type { Answer, Ask, Choice, Curve, Quantiles, ScalarRef } from './questions.ts'
import { TooLarge } from './too-large.ts'
import type { Steps } from './turns.ts'

/** Draws of a scalar of all chains whose ranks are computed: their order takes a hundred bytes a draw. */
const MOST_RANKED = 4_000_000

/** Draws of a scalar, of as many draws of each chain. */
export interface ScalarDraws extends Moment {
  readonly values: Float64Array
}

async function scalarDraws(desk: Desk, scalar: ScalarRef, choice: Choice): Promise<ScalarDraws> {
  const moment = await desk.moment(choice)
  const count = moment.parts.length * moment.draws
  if (count > MOST_RANKED) {
    throw new TooLarge(`${count} draws are more than a page puts in order: choose fewer draws or chains`)
  }
  const [chains = []] = await desk.draws([scalar], moment.parts)
  return { ...moment, values: together(chains) }
}

/** A figure that is none is NaN in a plot. */
function number(figure: Statistic): number {
  return typeof figure === 'number' ? figure : Number.NaN
}

function scalarOf({ parts, draws, values }: ScalarDraws, convention: Convention): Scalar {
  return new Scalar(new Workspace(parts.length, draws), values, convention)
}

function* curveOf(scalar: Scalar, x: Float64Array, figure: (scalar: Scalar, x: number) => Statistic): Steps<Curve> {
  const y = new Float64Array(x.length)
  for (const [i, at] of x.entries()) {
    y[i] = number(figure(scalar, at))
    yield
  }
  return { x, y }
}

/** Probabilities from 1 / points to 1 - 1 / points, as ArviZ spreads them. */
function probabilities(points: number): Float64Array {
  const step = points < 2 ? 0 : (1 - 2 / points) / (points - 1)
  return Float64Array.from({ length: points }, (_, i) => 1 / points + i * step)
}

export async function answerEssLocal(desk: Desk, ask: Ask<'essLocal'>): Promise<Curve> {
  const { scalar, choice, convention, intervals } = ask
  const draws = await scalarDraws(desk, scalar, choice)
  const middles = Float64Array.from({ length: intervals }, (_, i) => (i + 0.5) / intervals)
  // The bounds as a quotient each, so that neighbours share one to the last digit.
  const local = (each: Scalar, x: number) => {
    const i = Math.round(x * intervals - 0.5)
    return essLocal(each, i / intervals, (i + 1) / intervals)
  }
  return desk.compute(curveOf(scalarOf(draws, convention), middles, local))
}

export async function answerEssQuantile(desk: Desk, ask: Ask<'essQuantile'>): Promise<Curve> {
  const draws = await scalarDraws(desk, ask.scalar, ask.choice)
  return desk.compute(curveOf(scalarOf(draws, ask.convention), probabilities(ask.points), essQuantile))
}

export async function answerMcseQuantile(desk: Desk, ask: Ask<'mcseQuantile'>): Promise<Answer<'mcseQuantile'>> {
  const draws = await scalarDraws(desk, ask.scalar, ask.choice)
  const scalar = scalarOf(draws, ask.convention)
  const curve = await desk.compute(curveOf(scalar, probabilities(ask.points), mcseQuantile))
  return { ...curve, mean: number(mcseMean(scalar)), sd: number(mcseSd(scalar)) }
}

export async function answerEssEvolution(desk: Desk, ask: Ask<'essEvolution'>): Promise<Answer<'essEvolution'>> {
  const { scalar, choice, convention, points } = ask
  const draws = await scalarDraws(desk, scalar, choice)
  const { spec } = { spec: desk.spec(scalar) }
  const begins = draws.parts.map(({ chain, first }) => [chain, first])
  const name = JSON.stringify([spec.index, scalar.element, convention, begins])
  return desk.compute(evolution(desk, name, draws, { convention, points }))
}

function* evolution(
  desk: Desk,
  name: string,
  { parts, draws, values }: ScalarDraws,
  { convention, points }: { readonly convention: Convention; readonly points: number },
): Steps<Answer<'essEvolution'>> {
  const { ess } = desk.room.known
  const lengths = prefixes(draws, points)
  const found: (readonly [bulk: number, tail: number])[] = []
  for (const length of lengths) {
    const known = ess.get(`${name}/${length}`)
    if (known === undefined) {
      const chains = parts.map((_, i) => values.subarray(i * draws, i * draws + length))
      const scalar = scalarOf({ parts, draws: length, values: together(chains) }, convention)
      yield
      const bulk = number(essBulk(scalar))
      yield
      found.push([bulk, number(essTail(scalar))])
      ess.set(`${name}/${length}`, found.at(-1) ?? [Number.NaN, Number.NaN])
      yield
    } else found.push(known)
  }
  return {
    draws: Float64Array.from(lengths, (length) => length * parts.length),
    bulk: Float64Array.from(found, ([bulk]) => bulk),
    tail: Float64Array.from(found, ([, tail]) => tail),
  }
}

/**
 * Lengths of parts of a chain: multiples of a step that only doubles, so that a chain that grows keeps most of them, and all draws.
 * There are half as many to as many as are asked for.
 */
export function prefixes(draws: number, points: number): number[] {
  let step = 1
  while (draws / step > points) step *= 2
  const lengths = Array.from({ length: Math.floor(draws / step) }, (_, i) => (i + 1) * step)
  if (lengths.at(-1) !== draws && draws > 0) lengths.push(draws)
  return lengths
}

export async function answerAutocorrelation(
  desk: Desk,
  { scalar, choice, lags }: Ask<'autocorrelation'>,
): Promise<Answer<'autocorrelation'>> {
  const draws = await scalarDraws(desk, scalar, choice)
  return desk.compute(autocorrelations(draws, lags))
}

function* autocorrelations({ parts, draws, values }: ScalarDraws, lags: number): Steps<Answer<'autocorrelation'>> {
  const acov = new Autocovariance(1, draws, 'chains')
  const found = []
  for (const [i, { chain }] of parts.entries()) {
    acov.of(values.subarray(i * draws, (i + 1) * draws), 'posterior')
    const rho = new Float64Array(Math.max(0, Math.min(lags + 1, draws)))
    for (let lag = 0; lag < rho.length; lag++) rho[lag] = acov.at(lag) / acov.at(0)
    found.push({ chain, rho })
    yield
  }
  return found
}

export async function answerQuantiles(desk: Desk, ask: Ask<'quantiles'>): Promise<Answer<'quantiles'>> {
  const { scalars, choice, probabilities: at } = ask
  const { parts, draws } = await desk.moment(choice)
  const all = await desk.draws(scalars, parts)
  return desk.compute(quantilesOf(all, { parts, draws }, at))
}

function* quantilesOf(
  all: readonly Float64Array[][],
  { parts, draws }: Moment,
  at: readonly number[],
): Steps<Quantiles[]> {
  const workspace = new Workspace(parts.length, draws)
  const found: Quantiles[] = []
  for (const chains of all) {
    const scalar = new Scalar(workspace, together(chains), 'posterior')
    const count = parts.length * draws
    const quantiles = Float64Array.from(at, (p) => (count === 0 ? Number.NaN : number(quantile(scalar, p))))
    found.push({ quantiles, mean: number(mean(scalar)), sd: number(sd(scalar)), count })
    yield
  }
  return found
}
