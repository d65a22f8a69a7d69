/** Attributes of a RunMeta as plain JSON, for people and scripts that look at a run. */
import { decodeNdArray, type NdArray, sizeOf } from './draws/ndarray.ts'
import { McbError } from './errors.ts'
import type { npproto } from './generated/messages.js'
import type { JsonValue } from './json.ts'
import type { mcbackend, RunMeta } from './wire/run-meta.ts'
import { attributeToJson, ndarrayToJson } from './wire/run-meta-json.ts'

/** Elements and lists of all arrays together that stand as nested lists; an array beyond stays in its wire form. */
const LIST_ITEMS = 10_000

/**
 * Values by name: null, numbers (`"NaN"`, `"Infinity"` where JSON has none), strings, bools, objects, lists; times as RFC 3339,
 * durations as `1.5s`, arrays as nested lists, in which integers beyond ±2^53 are decimal strings.
 */
export function plainAttributes(meta: RunMeta): { [key: string]: JsonValue } {
  let left = LIST_ITEMS
  const plain = (value: mcbackend.ExtendedValue.$Properties): JsonValue => {
    const { json, items } = plainWithin(value, left)
    left -= items
    return json
  }
  return Object.fromEntries(Object.entries(meta.attributes ?? {}).map(([key, value]) => [key, plain(value)]))
}

/** One attribute, as `plainAttributes` gives it. */
export function plainAttribute(value: mcbackend.ExtendedValue.$Properties): JsonValue {
  return plainWithin(value, LIST_ITEMS).json
}

/** @param most items of lists that an array may become */
function plainWithin(
  value: mcbackend.ExtendedValue.$Properties,
  most: number,
): { readonly json: JsonValue; readonly items: number } {
  if (value.kind !== 'ndarrayValue') return { json: onlyMember(attributeToJson(value)), items: 0 }
  const array = value.ndarrayValue ?? {}
  const listed = listable(array, most)
  if (listed === undefined) return { json: ndarrayToJson(array), items: 0 }
  return { json: nested(listed), items: itemsOf(listed.shape) }
}

/** The value of an object with one member; null for one of none, which is an attribute without a kind. */
function onlyMember(wrapped: JsonValue): JsonValue {
  if (typeof wrapped !== 'object' || wrapped === null) return wrapped
  const [value = null] = Object.values<JsonValue>(wrapped)
  return value
}

/** Elements of an array and the lists around them: there may be far more of these, where axes have length 1. */
function itemsOf(shape: readonly number[]): number {
  let items = 1
  let within = 1
  for (const length of shape) {
    within *= length
    items += within
  }
  return items
}

/** The array, unless it has too many items, or cannot be read. */
function listable(message: npproto.ndarray.$Properties, most: number): NdArray | undefined {
  const shape = (message.shape ?? []).map(Number)
  if (itemsOf(shape) > most) return undefined
  try {
    return decodeNdArray(message)
  } catch (error) {
    if (error instanceof McbError) return undefined
    throw error
  }
}

/** An array without elements is an empty list: its shape might announce any number of them. */
function nested({ dtype, shape, data }: NdArray): JsonValue {
  if (sizeOf(shape) === 0) return []
  const elements: ArrayLike<number | bigint | string> = data
  let level: JsonValue[] = Array.from(elements, (element) => leaf(dtype, element))
  for (const length of shape.slice(1).reverse()) {
    const count = level.length / length
    level = Array.from({ length: count }, (_, i) => level.slice(i * length, (i + 1) * length))
  }
  return shape.length === 0 ? (level[0] ?? null) : level
}

function leaf(dtype: NdArray['dtype'], element: number | bigint | string): JsonValue {
  if (dtype === 'bool') return element !== 0
  if (typeof element === 'bigint') {
    const number = Number(element)
    return Number.isSafeInteger(number) ? number : String(element)
  }
  return typeof element === 'string' || Number.isFinite(element) ? element : String(element)
}
