/** Chains that stand still, or repeat most of their draws. */
import { countsOf, type Finding, unknown } from './check.ts'
import type { DrawEvidence } from './draw-evidence.ts'
import type { Evidence } from './evidence.ts'
import { chainsText, count, percent } from './words.ts'

export function stuckCheck(evidence: Evidence): Finding {
  const { inDraws, scalars } = evidence
  if (scalars === 0) return unknown('the run has no numeric variable of fixed shape')
  if (inDraws === undefined) return unknown(`none of ${scalars} scalars were looked at so far`)
  const found = standing(evidence, inDraws) ?? repeating(evidence, inDraws)
  if (found !== undefined) return found
  if (inDraws.scalars < scalars) return unknown(`only ${inDraws.scalars} of ${scalars} scalars were looked at so far`)
  if (inDraws.varying === 0) {
    return {
      status: 'fail',
      message: `no chain moves: ${count(scalars, 'scalar')} of ${scalars === 1 ? 'it has' : 'them have'} one value in all draws`,
      advice:
        'the sampler accepts nothing: look at its step size, and at the log density of the place where the chains began',
      chains: evidence.chains.map((chain) => ({ chain, value: 1 })),
    }
  }
  return {
    status: 'ok',
    message: `all chains move; at most ${percent(inDraws.repeats, 1)} of a chain's draws repeat the one before`,
    advice: '',
  }
}

function standing({ chains, label }: Evidence, { stillIn, standing: scalars }: DrawEvidence): Finding | undefined {
  const [first] = scalars
  if (first === undefined) return undefined
  const found = countsOf(chains, stillIn)
  const most = found.reduce((a, { value }) => Math.max(a, value), 0)
  return {
    status: 'fail',
    message:
      `${chainsText(found.map(({ chain }) => chain))} ${found.length === 1 ? 'has' : 'have'} one value in the last half of the draws: ` +
      `${label(first.row)}${most > 1 ? ` and ${count(most - 1, 'more scalar')}` : ''}`,
    advice:
      'leave these chains out, and start them again from another place; a sampler that accepts nothing there wants smaller steps, or a model without that trap',
    chains: found,
    worst: scalars.map(({ row, value }) => ({ label: label(row), value })),
  }
}

function repeating({ chains, label }: Evidence, { repeatsIn, repeating: scalars }: DrawEvidence): Finding | undefined {
  const [worst] = scalars
  if (worst === undefined) return undefined
  const found = countsOf(chains, repeatsIn)
  return {
    status: 'warn',
    message:
      `${chainsText(found.map(({ chain }) => chain))} ${found.length === 1 ? 'repeats' : 'repeat'} more than half of the draws: ` +
      `up to ${percent(worst.value, 1)} of those of ${label(worst.row)} equal the one before`,
    advice:
      'most proposals are rejected: a sampler by gradients needs a smaller step size; a random walk of Metropolis rejects three of four at its best ' +
      '(Roberts, Gelman and Gilks 1997), so judge it by its ESS',
    chains: found,
    worst: scalars.map(({ row, value }) => ({ label: label(row), value })),
  }
}
