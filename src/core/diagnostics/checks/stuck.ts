/** Chains that stand still, or repeat most of their draws. */
import type { Finding } from './check.ts'
import { unknown } from './check.ts'
import type { DrawEvidence } from './draw-evidence.ts'
import type { Evidence } from './evidence.ts'
import { chainsText, count, percent } from './words.ts'

/** A chain repeats too much with more than this share of its draws. */
const MOST_REPEATS = 0.5

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
  const most = inDraws.repeats.reduce((a, b) => Math.max(a, b), 0)
  return {
    status: 'ok',
    message: `all chains move; at most ${percent(most, 1)} of a chain's draws repeat the one before`,
    advice: '',
  }
}

function standing({ chains, label }: Evidence, { still, standing: rows }: DrawEvidence): Finding | undefined {
  const found = chains.flatMap((chain, i) => {
    const scalars = still[i] as number
    return scalars > 0 ? [{ chain, value: scalars, row: rows[i] as number }] : []
  })
  const [first] = found
  if (first === undefined) return undefined
  return {
    status: 'fail',
    message:
      `${chainsText(found.map(({ chain }) => chain))} ${found.length === 1 ? 'has' : 'have'} one value in the last half of the draws: ` +
      `${label(first.row)}${first.value > 1 ? ` and ${count(first.value - 1, 'more scalar')}` : ''}${found.length > 1 ? ` in chain ${first.chain}` : ''}`,
    advice:
      'leave these chains out, and start them again from another place; a sampler that accepts nothing there wants smaller steps or a model without that trap',
    chains: found.map(({ chain, value }) => ({ chain, value })),
    worst: [...new Map(found.map(({ row, value }) => [row, { label: label(row), value }])).values()].slice(0, 5),
  }
}

function repeating({ chains, label }: Evidence, { repeats, repeating: rows }: DrawEvidence): Finding | undefined {
  const found = chains.flatMap((chain, i) => {
    const share = repeats[i] as number
    return share > MOST_REPEATS ? [{ chain, value: share, row: rows[i] as number }] : []
  })
  const [first, ...others] = found
  if (first === undefined) return undefined
  const worst = others.reduce((a, b) => (b.value > a.value ? b : a), first)
  return {
    status: 'warn',
    message: `${chainsText(found.map(({ chain }) => chain))} ${found.length === 1 ? 'repeats' : 'repeat'} more than half of the draws: ${percent(worst.value, 1)} of those of ${label(worst.row)} in chain ${worst.chain} equal the one before`,
    advice:
      'most proposals are rejected: a sampler by gradients needs a smaller step size; a random walk of Metropolis rejects three of four at its best ' +
      '(Roberts, Gelman and Gilks 1997), so judge it by its ESS',
    chains: found.map(({ chain, value }) => ({ chain, value })),
    worst: [{ label: label(worst.row), value: worst.value }],
  }
}
