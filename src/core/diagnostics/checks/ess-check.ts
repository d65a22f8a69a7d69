/** Effective sample sizes of all scalars, their growth, and the time until they suffice. */
import { type Finding, unknown } from './check.ts'
import { Distribution } from './distribution.ts'
import { secondsToEss } from './eta.ts'
import type { Evidence } from './evidence.ts'
import { LEAST_GROWTH } from './growth.ts'
import { count, figure, percent, span } from './words.ts'

/** Bulk and tail ESS a chain: R-hat and ESS are reliable from the first on (Vehtari et al. 2021), and say little below the second. */
const WARN = 100
const FAIL = 25

/** @param chains number of the chains that are judged */
export const essDistribution = (chains: number): Distribution => new Distribution('least', WARN * chains)

export function essCheck(evidence: Evidence): Finding {
  const { scalars, ess: found, essBulk, label, chains } = evidence
  if (scalars === 0) return unknown('the run has no numeric variable of fixed shape')
  const target = WARN * chains.length
  const [worst] = found.ranked
  if (found.pending > 0 && !(worst !== undefined && worst.value < target)) {
    return unknown(`ESS is not computed yet of ${found.pending} of ${scalars} scalars`)
  }
  if (worst === undefined) return unknown(`no scalar has an ESS: ${found.without}`)
  const kind = essBulk.ranked[0]?.value === worst.value ? 'bulk' : 'tail'
  const named = found.ranked.map(({ row, value }) => ({ label: label(row), value }))
  const threshold = `${target}, ${WARN} a chain (Vehtari et al. 2021)`
  const least = `the least ${kind} ESS is ${figure(worst.value)} (${label(worst.row)})`
  if (worst.value >= target) {
    return {
      status: 'ok',
      message: `${least} over ${count(found.known, 'scalar')}; the threshold is ${threshold}`,
      advice: '',
      worst: named,
    }
  }
  const isFail = worst.value < FAIL * chains.length
  const soFar = found.pending > 0 ? ` known so far, with ${found.pending} to come,` : ''
  const growth = growthOf(evidence)
  return {
    status: isFail ? 'fail' : 'warn',
    message:
      `${least}; ${found.beyond} of ${count(found.known, 'scalar')}${soFar} (${percent(found.beyond, found.known)}) ` +
      `${found.beyond === 1 ? 'has' : 'have'} less than ${threshold}${isFail ? `, and the worst less than ${FAIL} a chain` : ''}${growth?.text ?? ''}`,
    advice:
      growth?.isStalled === true
        ? STALLED
        : `${moreDraws(evidence, worst.value, target)}, or reparameterise: draws that depend less on one another`,
    worst: named,
  }
}

const STALLED =
  'more draws alone will not help: the chains explore something new as they go on; look at their traces, sample a longer warmup, or reparameterise'

function growthOf({ growth, label }: Evidence): { readonly text: string; readonly isStalled: boolean } | undefined {
  const [first] = growth
  if (first === undefined) return undefined
  const isStalled = first.all < LEAST_GROWTH * first.half
  const text = isStalled
    ? `; that of ${label(first.row)} does not grow with the draws: ${figure(first.half)} in their first half, ${figure(first.all)} in all`
    : `; that of ${label(first.row)} grows with the draws, from ${figure(first.half)} in their first half to ${figure(first.all)}`
  return { text, isStalled }
}

/** The time until the threshold is reached where the run goes on, and the draws that it takes else. */
function moreDraws({ isOver, seconds, rhat, draws }: Evidence, ess: number, target: number): string {
  const [largest] = rhat.ranked
  const rest = isOver || largest === undefined ? undefined : secondsToEss({ ess, rhat: largest.value, seconds }, target)
  if (rest !== undefined)
    return `go on: at ${figure(ess / seconds)} effective draws a second ${target} are reached in about ${span(rest)}`
  const factor = target / ess
  if (factor > 20) return 'sample much longer'
  return `sample longer: about ${roundedUp(factor * draws)} draws a chain, if ESS grows as it did`
}

/** The next larger number of two digits and zeros. */
function roundedUp(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1)
  return Math.ceil(value / unit) * unit
}
