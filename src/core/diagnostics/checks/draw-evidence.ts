/** Evidence that draws themselves give: looks at all scalars, taken together. */
import { chainsIn, type Look, MOST_REPEATS } from './look.ts'
import { type Ranked, rank } from './ranked.ts'

export interface DrawEvidence {
  /** Scalars that were looked at. */
  scalars: number
  /** Scalars among them that have more than one value. */
  varying: number
  /** Scalars among them with values that are not finite, and all these values. */
  blemished: number
  nonFinite: number
  /** Scalars with values that are not finite, by chain. */
  readonly nonFiniteIn: Float64Array
  readonly mostNonFinite: Ranked[]
  /** Scalars that repeat more than half of their draws, by chain, and those that repeat most. */
  readonly repeatsIn: Float64Array
  readonly repeating: Ranked[]
  /** The greatest share of repeats. */
  repeats: number
  /** Scalars that stand still, by chain, and those of the most chains. */
  readonly stillIn: Float64Array
  readonly standing: Ranked[]
  /** Scalars by the distance from ½ of the AUC that tells draws that diverged from others. */
  readonly gathering: Ranked[]
}

export function noEvidence(chains: number): DrawEvidence {
  return {
    scalars: 0,
    varying: 0,
    blemished: 0,
    nonFinite: 0,
    nonFiniteIn: new Float64Array(chains),
    mostNonFinite: [],
    repeatsIn: new Float64Array(chains),
    repeating: [],
    repeats: 0,
    stillIn: new Float64Array(chains),
    standing: [],
    gathering: [],
  }
}

/** @param row position of the scalar among all that are judged */
export function addLook(evidence: DrawEvidence, row: number, look: Look): void {
  const { nonFinite, isConstant, repeats, auc } = look
  evidence.scalars++
  if (!isConstant) evidence.varying++
  if (nonFinite > 0) {
    evidence.blemished++
    evidence.nonFinite += nonFinite
    addChains(evidence.nonFiniteIn, look.nonFiniteIn)
    rank(evidence.mostNonFinite, { row, value: nonFinite }, itself)
  }
  evidence.repeats = Math.max(evidence.repeats, repeats)
  if (repeats > MOST_REPEATS) {
    addChains(evidence.repeatsIn, look.repeatsIn)
    rank(evidence.repeating, { row, value: repeats }, itself)
  }
  if (look.stillIn > 0) {
    const still = addChains(evidence.stillIn, look.stillIn)
    rank(evidence.standing, { row, value: still }, itself)
  }
  rank(evidence.gathering, { row, value: auc }, fromHalf)
}

export const fromHalf = (auc: number): number => Math.abs(auc - 0.5)
const itself = (value: number): number => value

/** Counts the scalar in each chain of the set; how many these are. */
function addChains(counts: Float64Array, set: number): number {
  const chains = chainsIn(set, counts.length)
  for (const chain of chains) counts[chain] = (counts[chain] as number) + 1
  return chains.length
}
