/** Evidence that draws themselves give, in one pass over each scalar: values that are not finite, repeats, chains that stand still. */
import type { Scalar } from '../scalar.ts'
import type { Divergent } from './auc.ts'
import { type Ranked, rank } from './ranked.ts'

/**
 * Evidence of some scalars of the same chains: as much memory as there are chains, however many the scalars. It is plain data, so
 * that it may cross a thread or a wire, and the evidence of parts of the scalars is merged.
 */
export interface DrawEvidence {
  /** Scalars that were looked at. */
  scalars: number
  /** Scalars among them that have more than one value. */
  varying: number
  /** Scalars among them with values that are not finite. */
  blemished: number
  /** Values of each chain that are NaN or infinite, of all scalars together. */
  readonly nonFinite: Float64Array
  /** Scalars by their number of values that are not finite. */
  readonly mostNonFinite: Ranked[]
  /** The greatest share of a chain's draws at which a varying scalar repeats its value, and the row of that scalar; -1 for none. */
  readonly repeats: Float64Array
  readonly repeating: Int32Array
  /** Varying scalars of each chain that have one value in its last half, and the row of the first of them; -1 for none. */
  readonly still: Float64Array
  readonly standing: Int32Array
  /** Scalars by the distance from ½ of the AUC that tells draws that diverged from others. */
  readonly gathering: Ranked[]
}

/** A scalar stands still where its one value would fill the half chain by chance no likelier than this. */
const BY_CHANCE = 1e-6

export function noEvidence(chains: number): DrawEvidence {
  return {
    scalars: 0,
    varying: 0,
    blemished: 0,
    nonFinite: new Float64Array(chains),
    mostNonFinite: [],
    repeats: new Float64Array(chains),
    repeating: new Int32Array(chains).fill(-1),
    still: new Float64Array(chains),
    standing: new Int32Array(chains).fill(-1),
    gathering: [],
  }
}

/**
 * Adds a scalar.
 *
 * @param row its position among all scalars of the run that are judged
 * @param divergent draws that diverged; absent where the run does not tell, or none did
 */
export function addScalar(evidence: DrawEvidence, row: number, scalar: Scalar, divergent?: Divergent): void {
  const { chains, draws, values } = scalar
  evidence.scalars++
  if (scalar.blemish !== undefined) addNonFinite(evidence, row, scalar)
  if (isConstant(values)) return
  evidence.varying++
  const half = draws >> 1
  for (let chain = 0; chain < chains; chain++) {
    const end = (chain + 1) * draws
    let same = 0
    let since = chain * draws
    for (let i = since + 1; i < end; i++) {
      if (values[i] === values[i - 1]) same++
      else since = i
    }
    if (since <= end - half) addStill(evidence, row, chain, chanceOfHalf(values, values[since] as number, half))
    const share = same / draws
    addRepeats(evidence, row, chain, share > 0.5 ? beyondChance(scalar, share) : share)
  }
  if (divergent === undefined || divergent.count === 0) return
  rank(evidence.gathering, { row, value: divergent.auc(scalar) }, fromHalf)
}

/** Takes over the evidence of other scalars, whose rows count from `first` on. */
export function mergeEvidence(evidence: DrawEvidence, part: DrawEvidence, first = 0): void {
  evidence.scalars += part.scalars
  evidence.varying += part.varying
  evidence.blemished += part.blemished
  for (let chain = 0; chain < evidence.nonFinite.length; chain++) {
    ;(evidence.nonFinite[chain] as number) += part.nonFinite[chain] as number
    if ((part.repeats[chain] as number) > (evidence.repeats[chain] as number)) {
      evidence.repeats[chain] = part.repeats[chain] as number
      evidence.repeating[chain] = shifted(part.repeating[chain] as number, first)
    }
    ;(evidence.still[chain] as number) += part.still[chain] as number
    if (evidence.standing[chain] === -1) evidence.standing[chain] = shifted(part.standing[chain] as number, first)
  }
  for (const { row, value } of part.mostNonFinite) rank(evidence.mostNonFinite, { row: row + first, value }, itself)
  for (const { row, value } of part.gathering) rank(evidence.gathering, { row: row + first, value }, fromHalf)
}

export const fromHalf = (auc: number): number => Math.abs(auc - 0.5)
const itself = (value: number): number => value

function shifted(row: number, first: number): number {
  return row < 0 ? row : row + first
}

function addNonFinite(evidence: DrawEvidence, row: number, { chains, draws, values }: Scalar): void {
  let all = 0
  for (let chain = 0; chain < chains; chain++) {
    let count = 0
    for (let i = chain * draws; i < (chain + 1) * draws; i++) if (!Number.isFinite(values[i])) count++
    ;(evidence.nonFinite[chain] as number) += count
    all += count
  }
  evidence.blemished++
  rank(evidence.mostNonFinite, { row, value: all }, itself)
}

function addStill(evidence: DrawEvidence, row: number, chain: number, chance: number): void {
  if (chance > BY_CHANCE) return
  ;(evidence.still[chain] as number)++
  if (evidence.standing[chain] === -1) evidence.standing[chain] = row
}

function addRepeats(evidence: DrawEvidence, row: number, chain: number, share: number): void {
  if (share <= (evidence.repeats[chain] as number)) return
  evidence.repeats[chain] = share
  evidence.repeating[chain] = row
}

function isConstant(values: Float64Array): boolean {
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
