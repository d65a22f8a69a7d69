/** Four chains of the eight schools model, streamed to a server while they are sampled. */
import { encodeNdArray, type HttpBackend, type HttpChain, type HttpRun } from '../../src/client/index.ts'
import { constrainCentered, logDensityCentered } from './centered.ts'
import { sampleHmc } from './hmc.ts'
import { constrain, DIMENSION, logDensity, SCHOOLS, SIGMA, Y } from './model.ts'
import { createRandom } from './random.ts'

export interface SamplingOptions {
  readonly chains: number
  /** Iterations of each chain that adapt the sampler; they are stored as well, with the stat `tune`. */
  readonly warmup: number
  /** Iterations of each chain after that. */
  readonly draws: number
  readonly seed: number
  /** The non-centered one when absent. */
  readonly form?: Form | undefined
  /** Acceptance rate that the step size is adapted to. */
  readonly target?: number | undefined
  /** Iterations of each chain in a second, at most; as fast as they come when absent. */
  readonly perSecond?: number | undefined
  /** Ends the chains where they are. */
  readonly signal?: AbortSignal | undefined
}

/** Two forms of one posterior, of which a sampler finds the centered one much harder. */
export type Form = 'non-centered' | 'centered'

const FORMS = {
  'non-centered': { logDensity, constrain },
  centered: { logDensity: logDensityCentered, constrain: constrainCentered },
} as const

export interface Progress {
  readonly chain: number
  /** Iterations that were sampled. */
  readonly done: number
  readonly total: number
  readonly divergences: number
}

/** Registers the run: its variables, sampler stats, coordinates and data. */
export function registerRun(
  backend: HttpBackend,
  { rid, seed, form = 'non-centered' }: Pick<SamplingOptions, 'seed' | 'form'> & { readonly rid?: string },
): Promise<HttpRun> {
  const dims = ['school']
  const shape = [SCHOOLS.length]
  const schools = { name: 'theta', dtype: 'float64', shape, dims }
  return backend.initRun({
    ...(rid !== undefined && { rid }),
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'tau', dtype: 'float64' },
      ...(form === 'centered'
        ? [schools]
        : [
            { ...schools, name: 'theta_t' },
            { ...schools, isDeterministic: true },
          ]),
    ],
    sampleStats: [
      { name: 'tune', dtype: 'bool' },
      { name: 'lp', dtype: 'float64' },
      { name: 'acceptance_rate', dtype: 'float64' },
      { name: 'energy', dtype: 'float64' },
      { name: 'diverging', dtype: 'bool' },
      { name: 'step_size', dtype: 'float64' },
      { name: 'n_steps', dtype: 'int32' },
    ],
    coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape, data: SCHOOLS }) }],
    data: [
      { name: 'y', value: encodeNdArray({ dtype: 'float64', shape, data: Y }), dims, isObserved: true },
      { name: 'sigma', value: encodeNdArray({ dtype: 'float64', shape, data: SIGMA }), dims },
    ],
    attributes: {
      model: { kind: 'stringValue', stringValue: `eight schools, ${form}` },
      seed: { kind: 'numberValue', numberValue: seed },
    },
  })
}

/** Samples all chains side by side; resolves when every draw is durable. */
export async function sampleRun(
  run: HttpRun,
  options: SamplingOptions,
  report: (progress: Progress) => void = () => undefined,
): Promise<void> {
  const numbers = Array.from({ length: options.chains }, (_, number) => number)
  const chains = await Promise.all(numbers.map((number) => run.initChain(number, { exclusive: true })))
  await Promise.all(chains.map((chain) => sampleChain(chain, options, report)))
}

async function sampleChain(
  chain: HttpChain,
  { warmup, draws, seed, form = 'non-centered', target, perSecond, signal }: SamplingOptions,
  report: (progress: Progress) => void,
): Promise<void> {
  const { logDensity, constrain } = FORMS[form]
  const total = warmup + draws
  const random = createRandom(seed * 1000 + chain.number)
  let done = 0
  let divergences = 0
  const begun = performance.now()
  const options = { dimension: DIMENSION, warmup, draws, ...(target !== undefined && { target }) }
  for (const iteration of sampleHmc(logDensity, options, random)) {
    if (signal?.aborted) break
    if (perSecond !== undefined) await until(begun + (1000 * done) / perSecond)
    await chain.append(
      { ...constrain(iteration.q) },
      {
        tune: iteration.isWarmup,
        lp: iteration.lp,
        acceptance_rate: iteration.acceptanceRate,
        energy: iteration.energy,
        diverging: iteration.isDiverging,
        step_size: iteration.stepSize,
        n_steps: iteration.steps,
      },
    )
    if (iteration.isDiverging && !iteration.isWarmup) divergences++
    done++
    if (done % Math.ceil(total / 4) === 0 || done === total) report({ chain: chain.number, done, total, divergences })
  }
  await chain.close()
}

async function until(moment: number): Promise<void> {
  const early = moment - performance.now()
  if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
}
