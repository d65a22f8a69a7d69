/** The figures of a whole run, of the evidence on which it is judged. */
import type { RunDiagnostics } from '../run-diagnostics.ts'
import type { Checks } from './check.ts'
import { LEAST_DRAWS } from './checks.ts'
import type { Distribution } from './distribution.ts'
import type { Evidence } from './evidence.ts'

/**
 * The worst figures; undefined while R-hat or ESS of a scalar is pending, and where too few draws are there to judge a run.
 *
 * @param at milliseconds since 1970 at which they were asked for
 */
export function worstFigures(evidence: Evidence, checks: Checks, at: number): RunDiagnostics | undefined {
  const { draws, chains, rhat, essBulk, essTail, divergences, bfmi } = evidence
  const isPending = [rhat, essBulk, essTail].some(({ pending }) => pending > 0)
  if (isPending || draws * chains.length < LEAST_DRAWS) return undefined
  const energies = typeof bfmi === 'string' ? [] : bfmi.filter((value) => typeof value === 'number')
  return {
    draws,
    rhat: worstOf(rhat),
    essBulk: worstOf(essBulk),
    essTail: worstOf(essTail),
    divergences: typeof divergences === 'string' ? null : divergences.marked.reduce((sum, each) => sum + each, 0),
    bfmi: energies.length === 0 ? null : energies.reduce((least, value) => Math.min(least, value)),
    // Nothing is worse than a failure: it stays one, whatever is still to come.
    status: checks.status === 'fail' || isWhole(evidence) ? checks.status : null,
    at: new Date(at).toISOString(),
  }
}

/** True when no check waits for evidence. */
function isWhole({ inDraws, scalars, divergences, bfmi, treeDepths }: Evidence): boolean {
  return (inDraws?.scalars ?? 0) === scalars && [divergences, bfmi, treeDepths].every((each) => each !== 'pending')
}

function worstOf({ ranked: [worst] }: Distribution): number | null {
  const value = worst?.value
  return value !== undefined && Number.isFinite(value) ? value : null
}
