/** Hamiltonian Monte Carlo with a unit metric, and a step size that warmup adapts (Hoffman and Gelman 2014). */
import type { Random } from './random.ts'

/** Writes the gradient at `q` and gives the log density. */
export type LogDensity = (q: Float64Array, gradient: Float64Array) => number

/** One iteration; `q` is the sampler's own array and changes with the next one. */
export interface Iteration {
  readonly q: Float64Array
  readonly lp: number
  /** Probability with which the proposal was accepted. */
  readonly acceptanceRate: number
  readonly isDiverging: boolean
  readonly isWarmup: boolean
  readonly stepSize: number
  /** Leapfrog steps. */
  readonly steps: number
  /** Potential and kinetic energy where the iteration has ended, up to a constant. */
  readonly energy: number
}

export interface HmcOptions {
  readonly dimension: number
  /** Iterations that adapt the step size. */
  readonly warmup: number
  /** Iterations after that. */
  readonly draws: number
  /** Acceptance rate that the step size is adapted to. */
  readonly target?: number
}

/** Length of a trajectory: a quarter of the period of a standard normal, at which its draws are independent. */
const PATH_LENGTH = Math.PI / 2
/** Energy error that is a divergence, as in Stan. */
const DIVERGENCE = 1000
const MAX_STEPS = 200

/** All iterations of one chain, from a random start in (-2, 2). */
export function* sampleHmc(
  logDensity: LogDensity,
  { dimension, warmup, draws, target = 0.9 }: HmcOptions,
  random: Random,
): Generator<Iteration> {
  const q = Float64Array.from({ length: dimension }, () => random.uniform() * 4 - 2)
  const gradient = new Float64Array(dimension)
  let lp = logDensity(q, gradient)
  const adaptation = new DualAveraging(0.1, target)
  for (let i = 0; i < warmup + draws; i++) {
    const isWarmup = i < warmup
    const stepSize = isWarmup ? adaptation.stepSize : adaptation.finalStepSize
    // Trajectories of one length can meet a period of the target; a length that varies cannot (Neal 2011, section 3.2).
    const length = PATH_LENGTH * (0.5 + random.uniform())
    const steps = Math.min(MAX_STEPS, Math.max(1, Math.round(length / stepSize)))
    const momentum = Float64Array.from({ length: dimension }, () => random.normal())
    const proposal = { q: q.slice(), gradient: gradient.slice(), momentum }
    const before = lp - kinetic(momentum)
    const proposed = leapfrog(logDensity, proposal, stepSize, steps)
    const change = proposed - kinetic(proposal.momentum) - before
    const acceptanceRate = Number.isNaN(change) ? 0 : Math.min(1, Math.exp(change))
    const isAccepted = random.uniform() < acceptanceRate
    if (isAccepted) {
      q.set(proposal.q)
      gradient.set(proposal.gradient)
      lp = proposed
    }
    if (isWarmup) adaptation.update(acceptanceRate)
    const energy = -(isAccepted ? before + change : before)
    yield { q, lp, acceptanceRate, isDiverging: !(change > -DIVERGENCE), isWarmup, stepSize, steps, energy }
  }
}

interface State {
  readonly q: Float64Array
  readonly gradient: Float64Array
  readonly momentum: Float64Array
}

/** Moves a state along its trajectory, and gives the log density there. */
function leapfrog(logDensity: LogDensity, { q, gradient, momentum }: State, stepSize: number, steps: number): number {
  let lp = 0
  const kick = () => {
    for (let i = 0; i < q.length; i++) momentum[i] = (momentum[i] ?? 0) + 0.5 * stepSize * (gradient[i] ?? 0)
  }
  for (let step = 0; step < steps; step++) {
    kick()
    for (let i = 0; i < q.length; i++) q[i] = (q[i] ?? 0) + stepSize * (momentum[i] ?? 0)
    lp = logDensity(q, gradient)
    kick()
  }
  return lp
}

function kinetic(momentum: Float64Array): number {
  let sum = 0
  for (const p of momentum) sum += p * p
  return 0.5 * sum
}

/** Nesterov's dual averaging of the log step size: Hoffman and Gelman (2014), section 3.2, with their constants. */
class DualAveraging {
  private readonly target: number
  private readonly shrinkTo: number
  private logStep: number
  private logAverage = 0
  private error = 0
  private count = 0

  constructor(initial: number, target: number) {
    this.target = target
    this.shrinkTo = Math.log(10 * initial)
    this.logStep = Math.log(initial)
  }

  get stepSize(): number {
    return Math.exp(this.logStep)
  }

  /** The step size to keep when the warmup is over. */
  get finalStepSize(): number {
    return this.count === 0 ? this.stepSize : Math.exp(this.logAverage)
  }

  update(acceptanceRate: number): void {
    const [gamma, t0, kappa] = [0.05, 10, 0.75]
    this.count++
    const weight = 1 / (this.count + t0)
    this.error = (1 - weight) * this.error + weight * (this.target - acceptanceRate)
    this.logStep = this.shrinkTo - (Math.sqrt(this.count) / gamma) * this.error
    const share = this.count ** -kappa
    this.logAverage = share * this.logStep + (1 - share) * this.logAverage
  }
}
