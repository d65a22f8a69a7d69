/** Draws that are NaN or infinite. */
import { countsOf, type Finding, unknown } from './check.ts'
import type { Evidence } from './evidence.ts'
import { chainsText, count } from './words.ts'

export function finiteCheck({ inDraws, scalars, chains, label }: Evidence): Finding {
  if (scalars === 0) return unknown('the run has no numeric variable of fixed shape')
  const known = inDraws?.scalars ?? 0
  const values = inDraws?.nonFinite ?? 0
  if (inDraws === undefined || (values === 0 && known < scalars)) {
    return unknown(`only ${known} of ${scalars} scalars were looked at so far`)
  }
  if (values === 0) return { status: 'ok', message: `every value of ${count(scalars, 'scalar')} is finite`, advice: '' }
  const counts = countsOf(chains, inDraws.nonFiniteIn)
  const worst = inDraws.mostNonFinite.map(({ row, value }) => ({ label: label(row), value }))
  return {
    status: 'fail',
    message:
      `${count(values, 'value')} of ${count(inDraws.blemished, 'scalar')} ${values === 1 ? 'is' : 'are'} NaN or infinite, ` +
      `in ${chainsText(counts.map(({ chain }) => chain))}; most in ${worst[0]?.label}`,
    advice:
      'no mean, R-hat or ESS can be trusted there: look for overflow, the logarithm of 0 or a division by 0 in the model, ' +
      'compute on the log scale, or bound the variable away from the edge of its support',
    chains: counts,
    worst,
  }
}
