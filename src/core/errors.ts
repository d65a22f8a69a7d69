/**
 * The one table of error codes, and the error that carries them.
 *
 * @example
 * try { await chain.appendBatch(batch) } catch (error) {
 *   if (isMcbError(error, 'draw_gap')) resumeFrom(error.fields.length)
 * }
 */

/** Kinds of fields; one with `?` is not always known. */
interface Kinds {
  text: string
  number: number
  texts: readonly string[]
  numbers: readonly number[]
}
type Kind = keyof Kinds | `${keyof Kinds}?`
type FieldKinds = Readonly<Record<string, Kind>>

const VARIABLE = { variable: 'text' } as const
const LIMIT = { limit: 'number?' } as const

/** Status, title and fields of every code; docs/protocol.md §4 has them. */
export const ERRORS = {
  invalid_protobuf: [400, 'The body is not a valid protobuf message'],
  invalid_json: [400, 'The body is not valid JSON of its kind'],
  invalid_slice: [400, 'The slice is malformed', { length: 'number?' }],
  invalid_parameter: [400, 'A parameter is malformed', LIMIT],
  empty_batch: [400, 'The batch holds no iteration'],
  unauthorized: [401, 'A valid key is required'],
  forbidden: [403, 'The key does not allow this'],
  quota_exceeded: [403, 'A quota of the tenant is used up', LIMIT],
  tenant_suspended: [403, 'The tenant is suspended'],
  not_found: [404, 'There is nothing here'],
  run_not_found: [404, 'There is no such run'],
  chain_not_found: [404, 'There is no such chain'],
  tenant_not_found: [404, 'There is no such tenant'],
  key_not_found: [404, 'There is no such key'],
  method_not_allowed: [405, 'The method is not allowed here', { allow: 'texts' }],
  not_acceptable: [406, 'None of the accepted media types can be served'],
  run_conflict: [409, 'A different run is registered under this id'],
  draw_gap: [409, 'The batch starts behind the end of the chain', { length: 'number' }],
  draw_conflict: [409, 'The batch differs from what is stored', { length: 'number', variable: 'text?' }],
  tenant_exists: [409, 'The tenant exists already'],
  chain_exists: [412, 'The chain exists already'],
  run_replaced: [412, 'The run was deleted and registered again'],
  about_changed: [412, 'The names, notes and facts of the run have changed'],
  chains_changed: [412, 'The chains of the run have changed'],
  payload_too_large: [413, 'A size limit is exceeded', LIMIT],
  unsupported_media_type: [415, 'The media type or encoding of the body is not supported'],
  range_not_satisfiable: [416, 'The answer has no such bytes', { length: 'number' }],
  misdirected_request: [421, 'The request is meant for another server'],
  invalid_about: [422, 'The names, notes and facts are not valid'],
  invalid_run_meta: [422, 'The run metadata is not valid', { variable: 'text?', limit: 'number?' }],
  unsupported_dtype: [422, 'The dtype is not supported', VARIABLE],
  unknown_variable: [422, 'There is no such variable or sampler stat', VARIABLE],
  missing_variable: [422, 'A variable is missing from the batch', VARIABLE],
  duplicate_variable: [422, 'A variable is in the batch twice', VARIABLE],
  dtype_mismatch: [422, 'The dtype is not the registered one', { ...VARIABLE, expected: 'text', actual: 'text' }],
  shape_mismatch: [422, 'The shape is not the registered one', { ...VARIABLE, expected: 'numbers', actual: 'numbers' }],
  rate_limited: [429, 'Too many requests', LIMIT],
  internal_error: [500, 'The server has a defect'],
  storage_unavailable: [503, 'The storage cannot be reached'],
  overloaded: [503, 'The server has more to do than it can take at a time', LIMIT],
} as const satisfies Record<string, readonly [status: number, title: string, fields?: FieldKinds]>

export type ErrorCode = keyof typeof ERRORS

/** Fields that an error of any code may have. */
interface CommonFields {
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number
  /** Overrides the status of the table: `unknown_variable` is 404 in a read. */
  readonly status?: number
}

/** Fields of which each code has some. */
interface CodeFields {
  readonly variable: string
  readonly expected: string | readonly number[]
  readonly actual: string | readonly number[]
  /** Present length of the chain: the index of the next iteration. A range that is not satisfiable tells the bytes of the whole answer here. */
  readonly length: number
  /** The limit that was exceeded, in bytes unless the detail says otherwise. */
  readonly limit: number
  /** Methods that a resource knows. */
  readonly allow: readonly string[]
}

type KindsOf<T> = T extends readonly [number, string, infer F] ? F : Record<never, never>
type Known<F> = { readonly [N in keyof F as F[N] extends keyof Kinds ? N : never]: TypeOf<F[N]> }
type Perhaps<F> = { readonly [N in keyof F as F[N] extends keyof Kinds ? never : N]?: TypeOf<F[N]> }
type TypeOf<K> = K extends keyof Kinds ? Kinds[K] : K extends `${infer B extends keyof Kinds}?` ? Kinds[B] : never
type Absent<F> = { readonly [N in Exclude<keyof CodeFields, keyof F>]?: never }
type FieldsOf<F> = CommonFields & Known<F> & Perhaps<F> & Absent<F>

type FieldsByCode = { readonly [C in ErrorCode]: FieldsOf<KindsOf<(typeof ERRORS)[C]>> }

/** Fields of an error of this code. */
export type ErrorFields<C extends ErrorCode = ErrorCode> = FieldsByCode[C]

/** Arguments behind an error's detail: its fields, which may be left out where the code demands none. */
type Rest<C extends ErrorCode> =
  Record<never, never> extends ErrorFields<C>
    ? [fields?: ErrorFields<C>, options?: ErrorOptions]
    : [fields: ErrorFields<C>, options?: ErrorOptions]

/**
 * The fields of an error that was thrown elsewhere, such as those of an answer; undefined when one is missing that errors
 * of this code have.
 */
export function parseFields(code: ErrorCode, given: Readonly<Record<string, unknown>>): ErrorFields | undefined {
  const kinds: FieldKinds = ERRORS[code][2] ?? {}
  const fields = Object.fromEntries(Object.entries(given).filter(([name, value]) => fits(value, kinds[name])))
  return hasFields(fields, kinds) ? fields : undefined
}

function hasFields(fields: object, kinds: FieldKinds): fields is ErrorFields {
  return Object.entries(kinds).every(([name, kind]) => kind.endsWith('?') || Object.hasOwn(fields, name))
}

function fits(value: unknown, kind: Kind | undefined): boolean {
  switch (kind) {
    case 'text':
    case 'text?':
      return typeof value === 'string'
    case 'number':
    case 'number?':
      return typeof value === 'number'
    case 'texts':
    case 'texts?':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'numbers':
    case 'numbers?':
      return Array.isArray(value) && value.every((item) => typeof item === 'number')
    default:
      return false
  }
}

/** Characters of a message at most, and of a name in a field. Clients' own words come back in both, so they are bounded. */
const MESSAGE_CHARACTERS = 1000
const NAME_CHARACTERS = 512
/** Numbers of a shape at most. */
const SHAPE_NUMBERS = 100

export class McbError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'McbError'
  readonly code: C
  readonly fields: ErrorFields<C>

  constructor(code: C, detail: string, ...[fields, options]: Rest<C>) {
    super(cut(detail, MESSAGE_CHARACTERS), options)
    this.code = code
    this.fields = bounded<C>(fields)
  }

  get status(): number {
    return this.fields.status ?? ERRORS[this.code][0]
  }

  get title(): string {
    return ERRORS[this.code][1]
  }
}

/** Tells an McbError, of one of these codes where some are given. */
export function isMcbError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): error is McbError<C> {
  return error instanceof McbError && (codes.length === 0 || codes.some((code) => code === error.code))
}

function bounded<C extends ErrorCode>(fields: ErrorFields<C> | undefined): ErrorFields<C>
function bounded(fields: Partial<CodeFields> = {}): Partial<CodeFields> {
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

/** A text cut to so many characters, without half of a surrogate pair at its end. */
function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters).replace(/[\ud800-\udbff]$/, '')}…`
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}
