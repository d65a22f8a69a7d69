/** JSON that loses nothing of what it was given: integers of any size, and −0. */

export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Digits in a row from which on a text may hold an integer that is no double. */
const LONG_INTEGER = /\d{16}/

/**
 * Values of JSON that was written by `jsonText`, or by a server: integers beyond ±2^53 are bigints if the platform tells a
 * number's source.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): JsonValue {
  // A reviver makes parsing several times as slow.
  return LONG_INTEGER.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text)
}

function exactInteger(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value
}

/**
 * JSON.stringify, except that −0 stays −0, a bigint is a number, and a double beyond ±2^53 has an exponent: it is no integer of
 * so many digits, and is read as a double again.
 *
 * @throws TypeError for NaN and the infinities, which JSON has not
 */
export function jsonText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join()}]`
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`)
  return `{${members.join()}}`
}

function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (!Number.isFinite(value)) throw new TypeError(`${value} is no number of JSON`)
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : JSON.stringify(value)
}
