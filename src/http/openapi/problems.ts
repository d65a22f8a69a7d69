/** Errors in /openapi.json: each operation names the codes that it can give, with their fields beside the code. */

import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import { PROBLEM_TYPE } from '../../core/media-types.ts'
import { headers } from './described-headers.ts'
import { ref } from './schema-parts.ts'
import type { CodeOrPlace, JsonSchema, JsonSchemas, Reference, ResponseObject, Responses } from './types.ts'

/** Fields of problems, without `allow`, which is a header. */
const FIELDS: JsonSchemas = {
  variable: { type: 'string', description: 'The variable or sampler stat in question' },
  expected: ref('DtypeOrShape'),
  actual: ref('DtypeOrShape'),
  length: {
    type: 'integer',
    format: 'int64',
    minimum: 0,
    description: 'Present length of the chain: the index of the next iteration',
  },
  limit: {
    type: 'integer',
    format: 'int64',
    description: 'The limit that was exceeded, in bytes unless `detail` says otherwise',
  },
}

interface Example {
  readonly detail: string
  readonly fields?: Readonly<Record<string, unknown>>
}

const variable = 'theta'
/** An example for each code that an operation can give. */
const EXAMPLES: { readonly [C in ErrorCode]?: Example } = {
  invalid_protobuf: { detail: 'the body is not a valid protobuf message: it ends inside a field' },
  invalid_json: { detail: 'line 1, column 26: RunMeta has no field "variable"; it has rid, variables, …' },
  invalid_slice: { detail: 'the step of a slice cannot be 0' },
  invalid_parameter: { detail: 'a run id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -' },
  empty_batch: { detail: 'the batch holds no iteration (count is 0)' },
  unauthorized: { detail: 'send a key: "Authorization: Bearer mcb_…"' },
  forbidden: { detail: 'the key has no scope "write"; an admin key of the tenant makes one that has' },
  quota_exceeded: { detail: 'tenant "lab" may keep 5000 runs and has 5000', fields: { limit: 5000 } },
  tenant_suspended: { detail: 'tenant "lab" is suspended' },
  not_found: { detail: 'this server keeps no draws: its storage is "null"' },
  run_not_found: { detail: 'there is no run "eight-schools"' },
  chain_not_found: { detail: 'run "eight-schools" has no chain 4' },
  tenant_not_found: { detail: 'there is no tenant "lab"' },
  key_not_found: { detail: 'there is no key "o5AZ1uj3kfwN3Jwu4P"' },
  not_acceptable: { detail: '"text/html" cannot be met' },
  run_conflict: { detail: 'run "eight-schools" is registered with different metadata' },
  draw_gap: { detail: 'the chain has 500 iterations, the batch starts at 600', fields: { length: 500 } },
  draw_conflict: { detail: '"theta" differs from what is stored', fields: { length: 500, variable } },
  tenant_exists: { detail: 'tenant "lab" exists already' },
  chain_exists: { detail: 'chain 0 exists already' },
  run_replaced: { detail: 'run "eight-schools" was deleted and registered again' },
  about_changed: { detail: 'the names, notes and facts of the run have changed; read them again' },
  chains_changed: { detail: 'chains are 0:1510,1:1500 now; If-Match is of another moment' },
  range_not_satisfiable: { detail: 'the file has 81920 bytes', fields: { length: 81920 } },
  payload_too_large: { detail: 'the body has more than 67108864 bytes', fields: { limit: 67_108_864 } },
  unsupported_media_type: { detail: 'the body has no Content-Type; send application/x-protobuf or application/json' },
  misdirected_request: { detail: '"example.org" is no name of this server' },
  invalid_about: { detail: '"name" must be null or a string of at most 200 characters' },
  invalid_run_meta: { detail: 'two variables are named "theta"', fields: { variable, limit: 10_000 } },
  unsupported_dtype: { detail: 'variable "theta": dtype "complex64" is not supported', fields: { variable } },
  unknown_variable: { detail: 'the run has no variable "theta"', fields: { variable } },
  missing_variable: { detail: 'variable "theta" is missing from the batch', fields: { variable } },
  duplicate_variable: { detail: '"theta" is in the batch twice', fields: { variable } },
  dtype_mismatch: {
    detail: '"theta": expected dtype float64, got "float32"',
    fields: { variable, expected: 'float64', actual: 'float32' },
  },
  shape_mismatch: {
    detail: '"theta": expected shape [8], got [7]',
    fields: { variable, expected: [8], actual: [7] },
  },
  rate_limited: { detail: 'tenant "lab" may send 600 requests a minute', fields: { limit: 600 } },
  internal_error: { detail: 'the server has met a defect; its log tells more' },
  storage_unavailable: { detail: 'the storage cannot be reached' },
  overloaded: { detail: '256 answers are open, which is the most at a time; read these first', fields: { limit: 256 } },
}

/** Fields of a code in a problem; true for one that every problem of the code has. */
function fieldsOf(code: ErrorCode): ReadonlyMap<string, boolean> {
  const kinds: Readonly<Record<string, string>> = ERRORS[code][2] ?? {}
  const known = Object.entries(kinds).filter(([name]) => name in FIELDS)
  return new Map(known.map(([name, kind]) => [name, !kind.endsWith('?')]))
}

/** The codes that an operation can give with one status. */
export interface Problem {
  readonly status: number
  readonly codes: readonly ErrorCode[]
}

/** Codes by status; 500 is a defect, which any operation may have. */
export function problemsOf(given: readonly CodeOrPlace[]): readonly Problem[] {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const one of [...given, 'internal_error' as const]) {
    const { code, status } = typeof one === 'string' ? { code: one, status: ERRORS[one][0] } : one
    const codes = byStatus.get(status) ?? []
    if (!codes.includes(code)) byStatus.set(status, [...codes, code])
  }
  return [...byStatus].sort(([a], [b]) => a - b).map(([status, codes]) => ({ status, codes }))
}

export function responsesOf(problems: readonly Problem[]): Responses {
  return Object.fromEntries(
    problems.map((problem) => [problem.status, sharedResponse(problem) ?? problemResponse(problem)]),
  )
}

export function problemSchemas(problems: readonly Problem[]): JsonSchemas {
  const dtypeOrShape: JsonSchema = {
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'number' } }],
    description: 'A dtype; numbers for shapes and counts',
  }
  const entries = problems.map((problem) => [nameOf(problem), schemaOf(problem)] as const)
  return { DtypeOrShape: dtypeOrShape, ...Object.fromEntries(entries) }
}

function nameOf({ codes }: Problem): string {
  const names = codes.map((code) => code.replaceAll(/(^|_)(.)/g, (_all, _bar, letter: string) => letter.toUpperCase()))
  return `${names.join('Or')}Problem`
}

/** Schema of a problem, with the fields that its codes have, and no others. */
function schemaOf({ status, codes }: Problem): JsonSchema {
  const fields = codes.map(fieldsOf)
  const used = Object.entries(FIELDS).filter(([name]) => fields.some((of) => of.has(name)))
  const required = used.flatMap(([name]) => (fields.every((of) => of.get(name)) ? [name] : []))
  return {
    type: 'object',
    description: 'An error (RFC 9457)',
    required: ['type', 'title', 'status', 'detail', 'code', ...required],
    properties: {
      type: { type: 'string', format: 'uri', description: 'urn:mcbackend:error: and the code' },
      title: { type: 'string', description: 'What the code means' },
      status: { type: 'integer', format: 'int32', enum: [status] },
      detail: { type: 'string', description: 'What happened, and a way out' },
      code: { type: 'string', enum: codes, description: 'Stable; programs decide by it' },
      ...Object.fromEntries(used),
    },
  }
}

/** Problem answers of many operations. */
export const PROBLEM_RESPONSES: Readonly<Record<string, ResponseObject>> = {
  Unauthorized: problemResponse({ status: 401, codes: ['unauthorized'] }),
  Forbidden: problemResponse({ status: 403, codes: ['forbidden', 'tenant_suspended'] }),
  Misdirected: problemResponse({ status: 421, codes: ['misdirected_request'] }),
  RateLimited: problemResponse({ status: 429, codes: ['rate_limited'] }),
  Defect: problemResponse({ status: 500, codes: ['internal_error'] }),
  Unavailable: problemResponse({ status: 503, codes: ['storage_unavailable'] }),
  Overloaded: problemResponse({ status: 503, codes: ['storage_unavailable', 'overloaded'] }),
}

const SHARED: Readonly<Record<string, string>> = {
  unauthorized: 'Unauthorized',
  'forbidden,tenant_suspended': 'Forbidden',
  misdirected_request: 'Misdirected',
  rate_limited: 'RateLimited',
  internal_error: 'Defect',
  storage_unavailable: 'Unavailable',
  'storage_unavailable,overloaded': 'Overloaded',
}

function sharedResponse({ codes }: Problem): Reference | undefined {
  const name = SHARED[codes.join()]
  return name === undefined ? undefined : { $ref: `#/components/responses/${name}` }
}

/** `unknown_variable` of a read. */
export const UNKNOWN_COLUMN = { code: 'unknown_variable', status: 404 } as const

function problemResponse(problem: Problem): ResponseObject {
  const { status, codes } = problem
  return {
    description: codes.map(describeCode).join('; '),
    headers: headers('X-Request-Id', ...headersOf(status)),
    content: { [PROBLEM_TYPE]: { schema: ref(nameOf(problem)), examples: examplesOf(problem) } },
  }
}

function headersOf(status: number): readonly string[] {
  if (status === 401) return ['WWW-Authenticate']
  if (status === 429) return ['Retry-After', 'RateLimit', 'RateLimit-Policy']
  return status === 503 ? ['Retry-After'] : []
}

function describeCode(code: ErrorCode): string {
  const fields = [...fieldsOf(code).keys()]
  const title = `\`${code}\`: ${ERRORS[code][1]}`
  return fields.length === 0 ? title : `${title} (${fields.map((field) => `\`${field}\``).join(', ')})`
}

function examplesOf({ status, codes }: Problem) {
  return Object.fromEntries(
    codes.map((code) => {
      const { detail, fields = {} } = EXAMPLES[code] ?? { detail: ERRORS[code][1] }
      const value = { type: `urn:mcbackend:error:${code}`, title: ERRORS[code][1], status, detail, code, ...fields }
      return [code, { value }]
    }),
  )
}
