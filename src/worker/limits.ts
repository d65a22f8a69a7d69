/** The limits that a deployment on Workers sets in its variables. */
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts'

const MIB = 1024 * 1024

export interface LimitVariables {
  /** Largest body of a request, in MiB. @default 64 */
  readonly MCB_BODY_MIB?: string | number
}

export function limitsOf({ MCB_BODY_MIB = 64 }: LimitVariables): Limits {
  const mib = Number(MCB_BODY_MIB)
  if (!Number.isInteger(mib) || mib < 1) throw new Error(`MCB_BODY_MIB must be a whole number, not "${MCB_BODY_MIB}"`)
  return { ...DEFAULT_LIMITS, bodyBytes: mib * MIB, runMetaBytes: Math.min(mib * MIB, DEFAULT_LIMITS.runMetaBytes) }
}
