/** Answers that report an error, as the McbError that the server threw. */
import { type ErrorCode, isErrorCode, McbError, parseFields } from '../core/errors.ts'

/** Codes of answers by their status alone, for those of proxies, and of servers that know more codes. */
const CODE_BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [400, 'invalid_parameter'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [406, 'not_acceptable'],
  [408, 'storage_unavailable'],
  [413, 'payload_too_large'],
  [414, 'payload_too_large'],
  [415, 'unsupported_media_type'],
  [421, 'misdirected_request'],
  [429, 'rate_limited'],
  [502, 'storage_unavailable'],
  [503, 'storage_unavailable'],
  [504, 'storage_unavailable'],
])

/** An answer that came whole. */
export interface WholeAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** An answer that is not the server's: something between, such as a proxy with a page of its own, has given it. */
export class ForeignAnswer extends Error {}

/** The error of an answer with a status of 300 or more; `what` names the request for those who read the message. */
export function errorOf(answer: WholeAnswer, what: string): McbError {
  const { status, headers } = answer
  const problem = problemOf(answer)
  const given = { ...problem, allow: allowOf(headers) }
  const named = isErrorCode(problem.code) ? problem.code : undefined
  const known = named && parseFields(named, given)
  // An error that lacks the fields of its code is none of the contract's.
  const code = (known && named) ?? CODE_BY_STATUS.get(status) ?? 'internal_error'
  const fields = known ?? parseFields(code, given) ?? {}
  const detail =
    typeof problem.detail === 'string' && problem.detail !== '' ? problem.detail : `${what} was answered with ${status}`
  const unknown = typeof problem.code === 'string' && problem.code !== code ? ` (${problem.code})` : ''
  return new McbError(code, `${detail}${unknown}`, { ...fields, ...retryAfterOf(headers), status })
}

/** `Allow` (RFC 9110, section 10.2.1): a list with commas. */
function allowOf(headers: Headers): readonly string[] {
  return (headers.get('Allow') ?? '').split(',').flatMap((method) => method.trim() || [])
}

/** The members of a problem+json body; none when it is something else. */
function problemOf({ headers, bytes }: WholeAnswer): Readonly<Record<string, unknown>> {
  if (!/^application\/(problem\+)?json\b/.test(headers.get('Content-Type') ?? '')) return {}
  try {
    return asRecord(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return {}
  }
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `Retry-After` (RFC 9110, section 10.2.3) in seconds from now: a number of seconds, or a date. */
function retryAfterOf(headers: Headers): { readonly retryAfter?: number } {
  const value = headers.get('Retry-After')?.trim()
  if (!value) return {}
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isNaN(seconds) ? {} : { retryAfter: Math.max(0, seconds) }
}
