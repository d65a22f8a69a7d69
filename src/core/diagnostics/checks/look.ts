/** A look at the draws of one scalar, in one pass: values that are not finite, repeats, chains that stand still, the place of divergences. */
import type { Scalar } from '../scalar.ts'
import type { Divergent } from './auc.ts'

/** All that a look tells, as numbers, so that it is kept and moved like any other figure of a scalar. */
export interface Look {
  /** Values that are NaN or infinite, and the chains that have them. */
  readonly nonFinite: number
  readonly nonFiniteIn: number
  /** True for a scalar of one value. */
  readonly isConstant: boolean
  /** The greatest share of a chain's draws that repeat the one before, and the chains in which it is more than half. */
  readonly repeats: number
  readonly repeatsIn: number
  /** Chains that have one value in their last half, while others, or they themselves, have had more. */
  readonly stillIn: number
  /** The area under the curve that tells draws that diverged from others; NaN where none did, or all. */
  readonly auc: number
}

/** A scalar stands still where its one value would fill the half chain by chance no likelier than this. */
const BY_CHANCE = 1e-6
/** A chain repeats too much with more than this share of its draws. */
export const MOST_REPEATS = 0.5
/** Chains that a set can tell apart: as many as a double has exact bits. */
const BITS = 53

/** Adds a chain to a set of chains, which is a number: a bit for each of up to 53, else the position of the first one, counted from 1. */
function withChain(set: number, chain: number, chains: number): number {
  if (chains <= BITS) return set + 2 ** chain
  return set === 0 ? chain + 1 : set
}

/** Positions of the chains in a set; of more than 53 chains, the first one alone. */
export function chainsIn(set: number, chains: number): number[] {
  if (set === 0) return []
  if (chains > BITS) return [set - 1]
  const found: number[] = []
  for (let chain = 0, rest = set; rest > 0; chain++, rest = Math.floor(rest / 2)) if (rest % 2 === 1) found.push(chain)
  return found
}

export function lookAt(scalar: Scalar, divergent?: Divergent): Look {
  const isConstant = isOneValue(scalar.values)
  const finite = scalar.blemish === undefined ? FINITE : nonFiniteIn(scalar)
  if (isConstant) return { ...finite, isConstant, repeats: 0, repeatsIn: 0, stillIn: 0, auc: Number.NaN }
  const auc = divergent === undefined ? Number.NaN : divergent.auc(scalar)
  return { ...finite, isConstant, ...movesOf(scalar), auc }
}

const FINITE = { nonFinite: 0, nonFiniteIn: 0 }

function nonFiniteIn({ chains, draws, values }: Scalar): Pick<Look, 'nonFinite' | 'nonFiniteIn'> {
  let [all, set] = [0, 0]
  for (let chain = 0; chain < chains; chain++) {
    let count = 0
    for (let i = chain * draws; i < (chain + 1) * draws; i++) if (!Number.isFinite(values[i])) count++
    if (count > 0) set = withChain(set, chain, chains)
    all += count
  }
  return { nonFinite: all, nonFiniteIn: set }
}

function movesOf(scalar: Scalar): Pick<Look, 'repeats' | 'repeatsIn' | 'stillIn'> {
  const { chains, draws, values } = scalar
  const half = draws >> 1
  let [repeats, repeatsIn, stillIn] = [0, 0, 0]
  for (let chain = 0; chain < chains; chain++) {
    const end = (chain + 1) * draws
    let same = 0
    let since = chain * draws
    for (let i = since + 1; i < end; i++) {
      if (values[i] === values[i - 1]) same++
      else since = i
    }
    if (since <= end - half && chanceOfHalf(values, values[since] as number, half) <= BY_CHANCE) {
      stillIn = withChain(stillIn, chain, chains)
    }
    const share = same / draws
    const beyond = share > MOST_REPEATS ? beyondChance(scalar, share) : share
    if (beyond > MOST_REPEATS) repeatsIn = withChain(repeatsIn, chain, chains)
    repeats = Math.max(repeats, beyond)
  }
  return { repeats, repeatsIn, stillIn }
}

function isOneValue(values: Float64Array): boolean {
  const first = values[0] as number
  for (let i = 1; i < values.length; i++) if (values[i] !== first) return false
  return true
}

/** The probability that so many independent draws all have this value: a rare event may well be absent from half a chain. */
function chanceOfHalf(values: Float64Array, value: number, half: number): number {
  if (Number.isNaN(value)) return 1
  let count = 0
  for (let i = 0; i < values.length; i++) if (values[i] === value) count++
  return (count / values.length) ** half
}

/**
 * The share of repeats, as it is where values are real numbers, which repeat by rejection alone. Integers repeat by chance as well:
 * of them it is the share beyond chance, (share - chance) / (1 - chance), as Cohen's κ has it.
 */
function beyondChance(scalar: Scalar, share: number): number {
  if (scalar.blemish !== undefined || !scalar.values.every(Number.isInteger)) return share
  const { sorted } = scalar
  let chance = 0
  for (let i = 0; i < sorted.length; ) {
    let j = i + 1
    while (j < sorted.length && sorted[j] === sorted[i]) j++
    chance += ((j - i) / sorted.length) ** 2
    i = j
  }
  return (share - chance) / (1 - chance)
}
