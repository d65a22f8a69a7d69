/** Parts that the sampler's cards share. */
import { count } from '../../paint/number.ts'
import type { RunModel } from '../../run/model.ts'
import type { NamedScalar } from '../../run/schema.ts'

export interface StatProps {
  readonly model: RunModel
  /** The stat, of one sampler. */
  readonly stat: NamedScalar
  /** Its place among the samplers of a compound one that have it. */
  readonly sampler: number
}

/** The stat as questions name it. */
export function refOf({ group, name, element }: NamedScalar) {
  return { group, name, element }
}

export function allChains(model: RunModel): readonly number[] {
  return model.chains.value.map(({ chain }) => chain)
}

/** The number of draws that figures are of. */
export function drawsNote(draws: number, chains: number): string {
  return chains === 1 ? `n = ${count(draws)}` : `n = ${count(draws)} of each of ${chains} chains`
}

/** Pixels of a plot's height. */
export const HEIGHT = 240
