/** The time until an effective sample size is reached. */
import type { JsonObject } from '../../json.ts'

/** R-hat from which on an ESS says too little to be extrapolated. */
const MOST_RHAT = 1.05

export interface Pace {
  /** The least ESS of the scalars, and their largest R-hat. */
  readonly ess: number
  readonly rhat: number
  /** Seconds in which these draws were sampled. */
  readonly seconds: number
}

/** Seconds until the ESS is reached: (target - ESS) / (ESS a second), 0 where it is. Undefined where nothing can be told. */
export function secondsToEss({ ess, rhat, seconds }: Pace, target: number): number | undefined {
  if (!(rhat < MOST_RHAT) || !(ess > 0) || !(seconds > 0)) return undefined
  return Math.max(0, target - ess) / (ess / seconds)
}

interface Times {
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  readonly facts: JsonObject
  /** Draws of warmup, and behind it. */
  readonly warmup: number
  readonly draws: number
}

/**
 * Seconds in which the draws behind warmup were sampled: of the time that the facts tell, else from the registration to the last
 * write, the draws' share among all draws.
 */
export function samplingSeconds({ createdAt, updatedAt, facts, warmup, draws }: Times): number {
  const told = facts.samplingTime
  const whole = typeof told === 'number' && told > 0 ? told : Math.max(0, updatedAt - createdAt) / 1000
  return draws === 0 ? 0 : (whole * draws) / (draws + warmup)
}
