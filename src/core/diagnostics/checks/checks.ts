/** All checks of a run, in their order (the contract, section 8). */
import { bfmiCheck } from './bfmi-check.ts'
import { CHECKS, type CheckName, type Checks, type Finding, unknown, worstOf } from './check.ts'
import { divergencesCheck } from './divergences.ts'
import { essCheck } from './ess-check.ts'
import type { Evidence } from './evidence.ts'
import { finiteCheck } from './finite-draws.ts'
import { progressCheck } from './progress.ts'
import { rhatCheck } from './rhat-check.ts'
import { stuckCheck } from './stuck.ts'
import { treeDepthCheck } from './treedepth-check.ts'
import { count } from './words.ts'

/** Draws of all chains together from which on a run is judged. */
export const LEAST_DRAWS = 100

const FINDINGS: Readonly<Record<CheckName, (evidence: Evidence) => Finding>> = {
  progress: progressCheck,
  finite: finiteCheck,
  stuck: stuckCheck,
  divergences: divergencesCheck,
  rhat: rhatCheck,
  ess: essCheck,
  bfmi: bfmiCheck,
  treedepth: treeDepthCheck,
}

export function checksOf(evidence: Evidence): Checks {
  const { draws, chains } = evidence
  const all = draws * chains.length
  const few = unknown(
    `too few draws: ${count(all, 'draw')} behind warmup, of ${LEAST_DRAWS} that a check needs`,
    'wait for more draws',
  )
  const checks = CHECKS.map((check) => ({ check, ...sentences(all < LEAST_DRAWS ? few : FINDINGS[check](evidence)) }))
  return { draws, status: worstOf(checks.map(({ status }) => status)), checks }
}

function sentences(finding: Finding): Finding {
  return { ...finding, message: capital(finding.message), advice: capital(finding.advice) }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
