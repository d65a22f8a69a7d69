/** The limits that a deployment on Workers sets in its variables. */
import { type BoundVariables, boundsOf } from '../core/bound-settings.ts'
import { type Bounds, DEFAULT_BOUNDS, DEFAULT_LIMITS, type Limits } from '../core/limits.ts'

const MIB = 1024 * 1024

export interface LimitVariables extends BoundVariables {
  /** Largest body of a request, in MiB. @default 64 */
  readonly MCB_BODY_MIB?: string | number
}

export function limitsOf({ MCB_BODY_MIB = 64 }: LimitVariables): Limits {
  const mib = Number(MCB_BODY_MIB)
  if (!Number.isInteger(mib) || mib < 1) throw new Error(`MCB_BODY_MIB must be a whole number, not "${MCB_BODY_MIB}"`)
  return { ...DEFAULT_LIMITS, bodyBytes: mib * MIB, runMetaBytes: Math.min(mib * MIB, DEFAULT_LIMITS.runMetaBytes) }
}

/** An isolate has 128 MB for all that it does: its bodies may take this much of them, whoever sends them. */
const ISOLATE_BODIES = 96 * MIB

export function workerBoundsOf(variables: LimitVariables): Bounds {
  return boundsOf(variables, { ...DEFAULT_BOUNDS, bodiesBytes: ISOLATE_BODIES, tenantBodiesBytes: ISOLATE_BODIES })
}
