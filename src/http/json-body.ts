/** JSON bodies of the routes for tenants and keys: small, and refused when they hold an unknown member. */

import * as v from 'valibot'
import { SCOPES } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import { isRunId } from '../core/wire/run-meta.ts'
import { type BodyServices, readWhole } from './body.ts'
import type { AppContext } from './context.ts'

const MAX_BYTES = 64 * 1024

/** @throws McbError `unsupported_media_type`, `payload_too_large`, `overloaded`, `invalid_parameter` */
export async function readJson<S extends v.GenericSchema>(
  c: AppContext,
  services: BodyServices,
  schema: S,
): Promise<v.InferOutput<S>> {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== JSON_TYPE) {
    const sent = type === undefined ? 'no Content-Type' : `Content-Type "${type}"`
    throw new McbError('unsupported_media_type', `the body has ${sent}; send ${JSON_TYPE}`)
  }
  const encoding = c.req.header('Content-Encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity') {
    throw new McbError('unsupported_media_type', `Content-Encoding "${encoding}" is not known here; send none`)
  }
  const result = v.safeParse(schema, parse(await readWhole(c, services, MAX_BYTES, encoding)))
  if (result.success) return result.output
  throw new McbError('invalid_parameter', detailOf(result.issues[0]))
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new McbError('invalid_parameter', 'the body is not valid JSON in UTF-8')
  }
}

function detailOf(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)
  const name = path === null ? 'the body' : `"${path}"`
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${name} is not known here`
  if (issue.received === 'undefined') return `${name} is missing`
  return `${name} must be ${issue.type === 'strict_object' ? 'an object' : issue.message}`
}

const MAX_NAME = 100

export const keyName = v.pipe(
  v.string(`a string of 1 to ${MAX_NAME} characters`),
  v.check(
    (text) => text.trim() !== '' && [...text].length <= MAX_NAME && !/\p{Cc}/u.test(text),
    `a string of 1 to ${MAX_NAME} characters, none of them a control character`,
  ),
)

const SCOPES_TEXT = `a list of ${SCOPES.map((scope) => `"${scope}"`).join(', ')}`
export const scopeList = v.pipe(
  v.array(v.picklist(SCOPES, `one of ${SCOPES.join(', ')}`), SCOPES_TEXT),
  v.minLength(1, SCOPES_TEXT),
  v.transform((given) => SCOPES.filter((scope) => given.includes(scope))),
)

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i
const TIME_TEXT = 'null or a time as 2026-12-31T23:59:59Z'
/** A time in milliseconds since 1970; null for what does not expire. */
export const expiry = v.nullable(
  v.pipe(
    v.string(TIME_TEXT),
    v.check((text) => RFC3339.test(text) && !Number.isNaN(Date.parse(text)), TIME_TEXT),
    v.transform((text) => Date.parse(text)),
  ),
)

export const runId = v.nullable(
  v.pipe(
    v.string('null or a run id'),
    v.check(isRunId, 'null or a run id: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -'),
  ),
)

export const TENANT_NAME = /^[a-z0-9-]{1,64}$/
export const TENANT_TEXT = '1 to 64 characters of a-z 0-9 -'
export const tenantName = v.pipe(v.string(TENANT_TEXT), v.regex(TENANT_NAME, TENANT_TEXT))

const limitFrom = (least: 0 | 1) => {
  const text = `null or a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`
  return v.optional(v.nullable(v.pipe(v.number(text), v.safeInteger(text), v.minValue(least, text))))
}

export const limitsBody = v.strictObject({
  requestsPerMinute: limitFrom(1),
  storedBytes: limitFrom(0),
  runs: limitFrom(0),
  bodyBytes: limitFrom(1),
})
