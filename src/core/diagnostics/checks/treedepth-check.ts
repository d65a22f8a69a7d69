/** Trajectories that were cut off at the greatest depth of their tree: a matter of efficiency alone. */
import { countsOf, type Finding, unknown } from './check.ts'
import type { Evidence, TreeDepths } from './evidence.ts'
import { count, percent } from './words.ts'

const MOST = 0.01

export function treeDepthCheck({ treeDepths, chains }: Evidence): Finding {
  if (treeDepths === 'absent') {
    return unknown(
      'the run has no sampler stat `tree_depth` (`treedepth__` of Stan) or `reached_max_treedepth`: only NUTS tells depths',
    )
  }
  if (treeDepths === 'pending') return unknown('depths of trees were not read yet')
  const hits = treeDepths.marked.reduce((sum, each) => sum + each, 0)
  const draws = treeDepths.draws * treeDepths.marked.length
  const message = `${hits} of ${draws} draws (${percent(hits, draws)}) reached ${limitText(treeDepths)}`
  if (hits < MOST * draws) return { status: 'ok', message, advice: '' }
  return {
    status: 'warn',
    message: `${message}; from ${percent(MOST, 1)} on it costs much`,
    advice:
      'the draws are valid, but trajectories that are cut off explore slowly (Stan reference manual, NUTS): give variables scales near 1, reparameterise, ' +
      'or raise max_treedepth by one, which may double the time',
    chains: countsOf(chains, treeDepths.marked),
  }
}

function limitText({ limit }: TreeDepths): string {
  if (limit === undefined) return 'the maximum depth of the tree'
  const steps = limit.depth < 31 ? ` (${count(2 ** limit.depth - 1, 'step')})` : ''
  return limit.isAssumed
    ? `a depth of the tree of ${limit.depth}${steps}, assumed to be the maximum, for nothing tells it`
    : `the maximum depth of the tree of ${limit.depth}${steps}`
}
