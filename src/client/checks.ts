/** Checks over HTTP: asked for until every number is known, and read without trust. */

import {
  CHECKS,
  type ChainValue,
  type Check,
  type NamedValue,
  type RunChecks,
  STATUSES,
  type Status,
} from '../core/diagnostics/checks/check.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { CheckOptions } from '../core/summary/check-options.ts'
import type { RunContext } from './chain.ts'
import { listIn, members, objectOf, stringIn, wholeNumberIn } from './json.ts'
import type { WholeAnswer } from './problem.ts'

export interface HttpCheckOptions extends CheckOptions {
  /** Told the share of the work that is done, while the server computes. */
  readonly onProgress?: ((share: number) => void) | undefined
}

/** Seconds that a server may take for an answer, where it is not left to it; where progress is told, the first ones are sooner. */
const WAIT = 10

/**
 * The server's checks, once all are known; undefined where it has none.
 *
 * @throws McbError `payload_too_large`, `run_not_found`, `run_replaced`
 */
export async function askChecks(context: RunContext, options: HttpCheckOptions): Promise<RunChecks | undefined> {
  const { transport, headers, path } = context
  // The first question leaves the time to the server: one of an older release refuses the header to pages of other origins.
  for (let wait = options.onProgress === undefined ? undefined : 1; ; wait = Math.min(WAIT, 2 * (wait ?? WAIT))) {
    const request = {
      method: 'GET',
      path: `${path}/checks`,
      headers: wait === undefined ? headers : { ...headers, Prefer: `wait=${wait}` },
      type: JSON_TYPE,
      signal: options.signal,
    } as const
    const checks = await transport.send<RunChecks | undefined>(request, readChecks, (refusal) => {
      if (refusal.code === 'not_found') return undefined
      throw refusal
    })
    if (checks?.progress === undefined) return checks
    options.onProgress?.(checks.progress)
  }
}

/** @throws TypeError when it makes no sense */
function readChecks(answer: WholeAnswer): RunChecks {
  const checks = members(answer)
  const { progress } = checks
  return {
    rid: stringIn(checks, 'rid'),
    registration: stringIn(checks, 'registration'),
    draws: wholeNumberIn(checks, 'draws'),
    status: statusIn(checks),
    // A newer server may have checks that are not known here; the status of all counts them.
    checks: listIn(checks, 'checks').flatMap((each) => checksIn(objectOf(each))),
    ...(typeof progress === 'number' && { progress }),
  }
}

function checksIn(each: JsonObject): Check[] {
  const { chains, worst } = each
  const check = CHECKS.find((name) => name === stringIn(each, 'check'))
  if (check === undefined) return []
  const finding = {
    check,
    status: statusIn(each),
    message: stringIn(each, 'message'),
    advice: stringIn(each, 'advice'),
    ...(chains !== undefined && { chains: listIn(each, 'chains').map((value) => chainOf(objectOf(value))) }),
    ...(worst !== undefined && { worst: listIn(each, 'worst').map((value) => namedOf(objectOf(value))) }),
  }
  return [finding]
}

function chainOf(each: JsonObject): ChainValue {
  return { chain: wholeNumberIn(each, 'chain'), value: numberOf(each.value) }
}

function namedOf(each: JsonObject): NamedValue {
  const { value, at } = each
  const side = at === 'small' || at === 'large' ? ({ at } as const) : {}
  return { label: stringIn(each, 'label'), value: value === null ? null : numberOf(value), ...side }
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value
  throw new TypeError('"value" is not a number')
}

function statusIn(value: JsonObject): Status {
  const status = STATUSES.find((each) => each === value.status)
  if (status === undefined) throw new TypeError('"status" is none')
  return status
}
