/** The limits and bounds that a deployment sets in its environment or variables. */
import { type Bounds, DEFAULT_BOUNDS, DEFAULT_LIMITS, type Limits } from './limits.ts'

const MIB = 1024 * 1024

export interface BoundVariables {
  /** Memory of all bodies in flight, in MiB. */
  readonly MCB_BODIES_MIB?: string | number
  /** Memory of one tenant's bodies in flight, in MiB. */
  readonly MCB_TENANT_BODIES_MIB?: string | number
  /** Answers to reads that are open at a time for one tenant. */
  readonly MCB_ANSWERS?: string | number
  /** Streams of events that are open at a time for one tenant. */
  readonly MCB_EVENT_STREAMS?: string | number
  /** Seconds after which a body without progress, or an answer without a reader, ends. */
  readonly MCB_STALL_SECONDS?: string | number
}

/** @throws Error with a sentence for the user who has set them */
export function boundsOf(variables: BoundVariables, defaults: Bounds = DEFAULT_BOUNDS): Bounds {
  const { MCB_BODIES_MIB, MCB_TENANT_BODIES_MIB, MCB_ANSWERS, MCB_EVENT_STREAMS, MCB_STALL_SECONDS } = variables
  const bodiesBytes = whole('MCB_BODIES_MIB', MCB_BODIES_MIB, MIB) ?? defaults.bodiesBytes
  return {
    bodiesBytes,
    tenantBodiesBytes:
      whole('MCB_TENANT_BODIES_MIB', MCB_TENANT_BODIES_MIB, MIB) ?? Math.min(defaults.tenantBodiesBytes, bodiesBytes),
    documentsBytes: defaults.documentsBytes,
    heldBytes: defaults.heldBytes,
    answers: whole('MCB_ANSWERS', MCB_ANSWERS, 1) ?? defaults.answers,
    eventStreams: whole('MCB_EVENT_STREAMS', MCB_EVENT_STREAMS, 1) ?? defaults.eventStreams,
    bodyStreams: defaults.bodyStreams,
    silenceMs: defaults.silenceMs,
    stallMs: whole('MCB_STALL_SECONDS', MCB_STALL_SECONDS, 1000) ?? defaults.stallMs,
  }
}

/** A setting in the units of its bound; undefined where it is not set. */
function whole(name: string, given: string | number | undefined, unit: number): number | undefined {
  if (given === undefined || given === '') return undefined
  const value = Number(given)
  // A timer takes 2^31 - 1 milliseconds.
  if (Number.isInteger(value) && value >= 1 && value <= 2_000_000) return value * unit
  throw new Error(`${name} must be a whole number from 1 to 2000000, not "${given}"`)
}

export interface LimitVariables extends BoundVariables {
  /** Largest body of a request, in MiB. @default 64 */
  readonly MCB_BODY_MIB?: string | number
  /** Bytes that a run object may hold itself, in MiB. @default 9216 */
  readonly MCB_OBJECT_MIB?: string | number
}

/** Bytes that a run object may hold itself: the platform's limit is 10 GB, and a write under way needs room. */
export function objectBytesOf({ MCB_OBJECT_MIB }: LimitVariables): number {
  return whole('MCB_OBJECT_MIB', MCB_OBJECT_MIB, MIB) ?? 9216 * MIB
}

/** Values of draws that one trace of a worker goes through: a request has some seconds of the processor. */
const WORKER_VALUES = 20_000_000

/** Limits of a worker. */
export function limitsOf({ MCB_BODY_MIB = 64 }: LimitVariables): Limits {
  const mib = Number(MCB_BODY_MIB)
  if (!Number.isInteger(mib) || mib < 1) throw new Error(`MCB_BODY_MIB must be a whole number, not "${MCB_BODY_MIB}"`)
  const atMost = (limit: number) => Math.min(mib * MIB, limit)
  const { runMetaBytes, jsonBytes } = DEFAULT_LIMITS
  const bodies = { bodyBytes: mib * MIB, runMetaBytes: atMost(runMetaBytes), jsonBytes: atMost(jsonBytes) }
  return { ...DEFAULT_LIMITS, ...bodies, tracedValues: WORKER_VALUES }
}

/** Bytes that all bodies of an isolate may take together: it has 128 MB for everything. */
const ISOLATE_BODIES = 96 * MIB
const ISOLATE_HELD = 16 * MIB

export function workerBoundsOf(variables: LimitVariables): Bounds {
  const bodies = { bodiesBytes: ISOLATE_BODIES, tenantBodiesBytes: ISOLATE_BODIES }
  return boundsOf(variables, { ...DEFAULT_BOUNDS, ...bodies, heldBytes: ISOLATE_HELD })
}
