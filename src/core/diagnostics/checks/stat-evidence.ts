/** Evidence of sampler stats: divergences, energies and depths of trees. A compound step has several columns of each. */

import type { Convention, Statistic } from '../convention.ts'
import { bfmi } from '../energy.ts'

/** Values of a stat, draw after draw. */
export type StatValues = ArrayLike<number>

/** Draws in which any of these stats is neither 0 nor NaN, with which absent values are filled: 1 for such a draw. */
export function anyOf(columns: readonly StatValues[], draws: number): Uint8Array {
  const mask = new Uint8Array(draws)
  for (const column of columns) {
    for (let i = 0; i < draws; i++) if (column[i]) mask[i] = 1
  }
  return mask
}

/** Draws in which a stat is at least `limit`: 1 for such a draw. */
export function atLeast(column: StatValues, limit: number): Uint8Array {
  const mask = new Uint8Array(column.length)
  for (let i = 0; i < column.length; i++) if ((column[i] as number) >= limit) mask[i] = 1
  return mask
}

/** Ones of a mask. */
export function countOf(mask: Uint8Array): number {
  let count = 0
  for (let i = 0; i < mask.length; i++) count += mask[i] as number
  return count
}

/** E-BFMI of one chain: the least of its samplers, or the reason for none where none has one. */
export function leastBfmi(energies: readonly Float64Array[], convention: Convention): Statistic {
  const all = energies.map((energy) => bfmi(energy, convention))
  const numbers = all.filter((value) => typeof value === 'number')
  return numbers.length > 0 ? Math.min(...numbers) : (all[0] ?? 'too_few')
}
