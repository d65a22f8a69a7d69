/** Divergent transitions, and the scalars that tell where they are. */
import { normalQuantile } from '../normal.ts'
import { countsOf, type Finding, type NamedValue, unknown } from './check.ts'
import { fromHalf } from './draw-evidence.ts'
import type { Evidence } from './evidence.ts'
import type { Ranked } from './ranked.ts'
import { percent } from './words.ts'

/** The probability of naming a place by mistake, over all scalars. */
const ERROR = 0.05

export function divergencesCheck(evidence: Evidence): Finding {
  const { divergences, chains, label, inDraws } = evidence
  if (divergences === 'absent') {
    return unknown(
      'the run has no sampler stat `diverging` (`divergent__` of Stan): only HMC and NUTS tell divergences',
    )
  }
  if (divergences === 'pending') return unknown('divergences were not counted yet')
  const all = divergences.marked.reduce((sum, each) => sum + each, 0)
  const draws = divergences.draws * divergences.marked.length
  if (all === 0) return { status: 'ok', message: `none of ${draws} draws diverged`, advice: '' }
  const gathering = inDraws?.gathering ?? []
  const place = placeOf(gathering, all, draws, evidence)
  return {
    status: 'fail',
    message: `${all} of ${draws} draws diverged (${percent(all, draws)})${place.text}`,
    advice:
      `any divergence may bias the estimates (Betancourt 2017, arXiv:1701.02434): ${place.advice}, ` +
      'then raise target_accept (adapt_delta in Stan) towards 0.99 and see them vanish',
    chains: countsOf(chains, divergences.marked),
    worst: gathering.map(
      ({ row, value }): NamedValue => ({ label: label(row), value: fromHalf(value) + 0.5, at: sideOf(value) }),
    ),
  }
}

function placeOf(
  gathering: readonly Ranked[],
  all: number,
  draws: number,
  evidence: Evidence,
): { text: string; advice: string } {
  const [first] = gathering
  const nowhere = { text: '', advice: 'reparameterise the model' }
  if (first === undefined) return nowhere
  const known = evidence.inDraws?.scalars ?? 0
  const soFar = known < evidence.scalars ? `, of ${known} of ${evidence.scalars} scalars so far` : ''
  // The largest distance from ½ of many scalars is large by chance (Bonferroni).
  const z = normalQuantile(1 - ERROR / (2 * evidence.scalars))
  const deviation = Math.sqrt((draws + 1) / (12 * all * (draws - all)))
  if (fromHalf(first.value) <= z * deviation) {
    return { ...nowhere, text: `; no ${evidence.scalars === 1 ? 'value' : 'scalar'} sets them apart${soFar}` }
  }
  const where = `${sideOf(first.value)} ${evidence.label(first.row)}`
  const advice = `reparameterise the model where ${evidence.label(first.row)} is ${sideOf(first.value)} (a hierarchical scale: non-centred)`
  return { text: `; they gather at ${where}${soFar}`, advice }
}

function sideOf(auc: number): 'small' | 'large' {
  return auc < 0.5 ? 'small' : 'large'
}
