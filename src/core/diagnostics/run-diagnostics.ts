/** The figures of a whole run that lists show: the worst of all scalars, as they were last computed. */
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import { STATUSES, type Status } from './checks/check.ts'

/** Figures of the draws behind warmup, in the convention of R's posterior. A figure that nothing tells, or that is not finite, is null. */
export type RunDiagnostics = {
  /** Draws of each chain. */
  readonly draws: number
  /** The greatest R-hat of a scalar. */
  readonly rhat: number | null
  /** The least ESS of a scalar. */
  readonly essBulk: number | null
  readonly essTail: number | null
  /** Divergent draws of all chains. */
  readonly divergences: number | null
  /** The least E-BFMI of a chain. */
  readonly bfmi: number | null
  /** The worst status of all checks; null where they were not computed. */
  readonly status: Status | null
  /** The moment at which they were asked for (RFC 3339, UTC, milliseconds): earlier ones never replace later ones. */
  readonly at: string
}

/** Diagnostics in JSON, or null: members that an older server does not tell are null, those of a newer one are left out. */
export function readRunDiagnostics(value: JsonValue | undefined): RunDiagnostics | null {
  if (!isObject(value) || typeof value.draws !== 'number' || typeof value.at !== 'string') return null
  return {
    draws: value.draws,
    rhat: numberOrNull(value, 'rhat'),
    essBulk: numberOrNull(value, 'essBulk'),
    essTail: numberOrNull(value, 'essTail'),
    divergences: numberOrNull(value, 'divergences'),
    bfmi: numberOrNull(value, 'bfmi'),
    status: STATUSES.find((status) => status === value.status) ?? null,
    at: value.at,
  }
}

function numberOrNull(value: JsonObject, name: string): number | null {
  const member = value[name]
  return typeof member === 'number' ? member : null
}

/** True where figures tell more than those before: others, or of other draws. */
export function isNews(before: RunDiagnostics | null, after: RunDiagnostics): boolean {
  if (before === null) return true
  if (before.draws === after.draws && before.status !== null && after.status === null) return false
  return JSON.stringify({ ...before, at: '' }) !== JSON.stringify({ ...after, at: '' })
}
