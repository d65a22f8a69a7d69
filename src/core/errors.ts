/**
 * The one table of error codes, and the error that carries them.
 *
 * @example
 * try { await chain.appendBatch(batch) } catch (error) {
 *   if (error instanceof McbError && error.code === 'draw_gap') resumeFrom(error.fields.length)
 * }
 */

/** Status and title of every code; see docs/protocol.md §4. */
export const ERRORS = {
  invalid_protobuf: [400, 'The body is not a valid protobuf message'],
  invalid_slice: [400, 'The slice is malformed'],
  invalid_parameter: [400, 'A parameter is malformed'],
  empty_batch: [400, 'The batch holds no iteration'],
  unauthorized: [401, 'A valid key is required'],
  forbidden: [403, 'The key does not allow this'],
  quota_exceeded: [403, 'A quota of the tenant is used up'],
  tenant_suspended: [403, 'The tenant is suspended'],
  not_found: [404, 'There is nothing here'],
  run_not_found: [404, 'There is no such run'],
  chain_not_found: [404, 'There is no such chain'],
  tenant_not_found: [404, 'There is no such tenant'],
  key_not_found: [404, 'There is no such key'],
  method_not_allowed: [405, 'The method is not allowed here'],
  not_acceptable: [406, 'None of the accepted media types can be served'],
  run_conflict: [409, 'A different run is registered under this id'],
  draw_gap: [409, 'The batch starts behind the end of the chain'],
  draw_conflict: [409, 'The batch differs from what is stored'],
  tenant_exists: [409, 'The tenant exists already'],
  chain_exists: [412, 'The chain exists already'],
  run_replaced: [412, 'The run was deleted and registered again'],
  payload_too_large: [413, 'A size limit is exceeded'],
  unsupported_media_type: [415, 'The media type or encoding of the body is not supported'],
  misdirected_request: [421, 'The request is meant for another server'],
  invalid_run_meta: [422, 'The run metadata is not valid'],
  unsupported_dtype: [422, 'The dtype is not supported'],
  unknown_variable: [422, 'There is no such variable or sampler stat'],
  missing_variable: [422, 'A variable is missing from the batch'],
  duplicate_variable: [422, 'A variable is in the batch twice'],
  dtype_mismatch: [422, 'The dtype is not the registered one'],
  shape_mismatch: [422, 'The shape is not the registered one'],
  rate_limited: [429, 'Too many requests'],
  internal_error: [500, 'The server has a defect'],
  storage_unavailable: [503, 'The storage cannot be reached'],
  overloaded: [503, 'The server has more to do than it can take at a time'],
} as const satisfies Record<string, readonly [number, string]>

export type ErrorCode = keyof typeof ERRORS

/** What an error says beside its code; each field is documented with the code in docs/protocol.md §4. */
export interface ErrorFields {
  readonly variable?: string
  readonly expected?: string | readonly number[]
  readonly actual?: string | readonly number[]
  /** Present length of the chain: the index of the next iteration. */
  readonly length?: number
  /** The limit that was exceeded, in bytes unless the detail says otherwise. */
  readonly limit?: number
  /** Methods that a resource knows. */
  readonly allow?: readonly string[]
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number
  /** Overrides the status of the table: `unknown_variable` is 404 in a read. */
  readonly status?: number
}

/** Characters of a message at most, and of a name in a field: what a client has sent comes back in them. */
const MESSAGE_CHARACTERS = 1000
const NAME_CHARACTERS = 512
/** Numbers of a shape at most. */
const SHAPE_NUMBERS = 100

export class McbError extends Error {
  override readonly name = 'McbError'
  readonly code: ErrorCode
  readonly fields: ErrorFields

  constructor(code: ErrorCode, detail: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(cut(detail, MESSAGE_CHARACTERS), options)
    this.code = code
    this.fields = bounded(fields)
  }

  get status(): number {
    return this.fields.status ?? ERRORS[this.code][0]
  }

  get title(): string {
    return ERRORS[this.code][1]
  }
}

function bounded(fields: ErrorFields): ErrorFields {
  const { variable, expected, actual } = fields
  return {
    ...fields,
    ...(variable !== undefined && { variable: cut(variable, NAME_CHARACTERS) }),
    ...(expected !== undefined && { expected: cutDescription(expected) }),
    ...(actual !== undefined && { actual: cutDescription(actual) }),
  }
}

function cutDescription(given: string | readonly number[]): string | readonly number[] {
  return typeof given === 'string' ? cut(given, NAME_CHARACTERS) : given.slice(0, SHAPE_NUMBERS)
}

/** No half of a surrogate pair stays behind. */
function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters).replace(/[\ud800-\udbff]$/, '')}…`
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}
