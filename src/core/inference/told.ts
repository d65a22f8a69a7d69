/** Attributes of a tree: the origin of a run, what its user told, and those of a result that was stored as a whole. */

import { plainAttribute } from '../attributes.ts'
import { isNumericDtype } from '../draws/dtype.ts'
import type { NdArrayMessage } from '../draws/ndarray.ts'
import { isObject, type JsonObject, type JsonValue, jsonText, parseJson } from '../json.ts'
import type { google, mcbackend, RunMeta } from '../wire/run-meta.ts'
import { describedOf } from './labels.ts'
import { ABSENT, DRAW_LABELS, LEADING, STATS_AS_THEY_ARE, UNCONSTRAINED } from './plan.ts'
import type { Attributes, AttributeValue } from './tree.ts'

/** Facts of a run, which may change, and the time of its registration. */
export interface ToldFacts {
  readonly createdAt: Date
  readonly facts: JsonObject
}

export interface TreeAttributes {
  readonly root: Attributes
  /** Attributes of a group. */
  readonly of: (group: string) => Attributes
}

/** Attributes that steer how a run is read. */
const OWN: ReadonlySet<string> = new Set([
  UNCONSTRAINED,
  STATS_AS_THEY_ARE,
  DRAW_LABELS,
  ABSENT,
  'discard_tuned_samples',
  'inference_library',
])

/** Fact of a run: attributes as a result had them that was stored as a whole, by group (`/` is the root), then by name. */
const KEPT = 'resultAttrs'

/**
 * @param warmup draws of warmup of the longest; the number that was planned counts first
 * @param about absent for a tree that depends on nothing that changes
 */
export function attributesOf(
  rid: string,
  { attributes = {} }: RunMeta,
  warmup: number,
  about: ToldFacts | undefined,
): TreeAttributes {
  const values = Object.entries(attributes)
  const library = values.find(([name]) => name === 'inference_library')?.[1]
  const data = attributesFrom([
    ...(about === undefined ? [] : [['created_at', isoTime(about.createdAt)] as const]),
    ...(library === undefined ? [] : libraryOf(library, about)),
    ['rid', rid],
  ])
  const sampled = { ...data, ...samplingOf(warmup, about) }
  const users = attributesFrom(
    values.flatMap(([name, value]) => (OWN.has(name) ? [] : [[name, attributeOf(value)] as const])),
  )
  const kept = about?.facts[KEPT]
  if (!isObject(kept)) {
    return {
      root: { ...sampled, ...users },
      of: (group) => (isDataGroup(group) ? data : { ...sampled, ...SAMPLE_DIMS }),
    }
  }
  return { root: { ...keptOf(kept, '/'), rid, ...users }, of: (group) => ({ ...keptOf(kept, group), rid }) }
}

/** The dimensions of draws, as ArviZ 1.x tells them. Groups of data have none, and formats no attribute without elements. */
const SAMPLE_DIMS: Attributes = { sample_dims: LEADING }

function isDataGroup(group: string): boolean {
  return group === 'observed_data' || group === 'constant_data'
}

/** Defined properties, not assigned ones: a name may be `__proto__`. */
function attributesFrom(entries: readonly (readonly [string, AttributeValue])[]): Attributes {
  return Object.fromEntries(entries)
}

function libraryOf(
  value: mcbackend.ExtendedValue.$Properties,
  about: ToldFacts | undefined,
): readonly (readonly [string, AttributeValue])[] {
  if (value.kind === 'nullValue' || value.kind === undefined) return []
  const library = attributeOf(value)
  const packages = memberOf(memberOf(about?.facts, 'environment'), 'packages')
  const version = typeof library === 'string' ? memberOf(packages, library) : undefined
  const told = ['inference_library', library] as const
  return typeof version === 'string' ? [told, ['inference_library_version', version]] : [told]
}

function samplingOf(warmup: number, about: ToldFacts | undefined): Attributes {
  const seconds = memberOf(about?.facts, 'samplingTime')
  const planned = memberOf(memberOf(about?.facts, 'expected'), 'warmup')
  const isPlanned = typeof planned === 'number' || typeof planned === 'bigint'
  const steps = isPlanned ? Math.trunc(Number(planned)) : warmup
  return {
    ...(typeof seconds === 'number' && { sampling_time: seconds }),
    ...((isPlanned || steps > 0) && { tuning_steps: BigInt(steps) }),
  }
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** A time as Python's `isoformat` writes it. */
function isoTime(time: Date): string {
  return time
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replace(/(\.\d{3})Z$/, '$1000Z')
    .replace(/Z$/, '+00:00')
}

/** An attribute of the metadata: numbers are doubles there, bools become 0 and 1, and what has no place is text of JSON. */
function attributeOf(value: mcbackend.ExtendedValue.$Properties): AttributeValue {
  switch (value.kind) {
    case 'numberValue':
      return value.numberValue ?? 0
    case 'stringValue':
      return value.stringValue ?? ''
    case 'boolValue':
      return value.boolValue ? 1n : 0n
    case 'timestampValue':
      return timestampOf(value.timestampValue ?? {})
    case 'durationValue':
      return Number(value.durationValue?.seconds ?? 0) + (value.durationValue?.nanos ?? 0) / 1e9
    case 'ndarrayValue':
      return arrayOf(value.ndarrayValue ?? {}) ?? jsonText(plainAttribute(value))
    default:
      return jsonText(plainAttribute(value))
  }
}

/** An array of numbers on one axis; undefined for any other, which has no place in an attribute. */
function arrayOf(message: NdArrayMessage): AttributeValue | undefined {
  const array = isNumericDtype(message.dtype ?? '') ? describedOf(message)?.array : undefined
  if (array === undefined || array.shape.length !== 1 || array.data.length === 0) return undefined
  return array.dtype === 'bool' ? { ...array, dtype: 'int8', data: Int8Array.from(array.data) } : array
}

/** The time to the microsecond, as Python has it. */
function timestampOf({ seconds, nanos }: google.protobuf.Timestamp.$Properties): string {
  const micros = Math.trunc((nanos ?? 0) / 1000)
  const whole = isoTime(new Date(Number(seconds ?? 0) * 1000))
  return micros === 0 ? whole : whole.replace('+', `.${String(micros).padStart(6, '0')}+`)
}

function keptOf(kept: JsonObject, group: string): Attributes {
  const own = memberOf(kept, group)
  if (!isObject(own)) return {}
  return attributesFrom(Object.entries(own).map(([name, value]) => [name, fromJson(givenBack(value))]))
}

/** A value as the result had it: facts lose null, so that what has one is text of JSON in an object of the one member `json`. */
function givenBack(value: JsonValue): JsonValue {
  if (!isObject(value) || Object.keys(value).length !== 1 || typeof value.json !== 'string') return value
  try {
    return parseJson(value.json)
  } catch (error) {
    if (error instanceof SyntaxError) return value
    throw error
  }
}

/** A value of JSON as a file can hold it: integers stay such, bools become 0 and 1, and what has no place is text of JSON. */
function fromJson(value: JsonValue): AttributeValue {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'number') return isInteger(value) ? BigInt(value) : value
  if (typeof value === 'bigint') return isInt64(value) ? value : String(value)
  const list = Array.isArray(value) ? listOf(value) : undefined
  return list ?? jsonText(value)
}

function isInteger(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0)
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/** A list as NumPy makes an array of it; undefined where it is none of one axis. */
function listOf(items: readonly JsonValue[]): readonly string[] | AttributeValue | undefined {
  const isScalar = items.every((item) => item !== null && typeof item !== 'object')
  if (items.length === 0 || !isScalar) return undefined
  if (items.some((item) => typeof item === 'string')) return items.map(String)
  const isBool = items.every((item) => typeof item === 'boolean')
  const isWhole = items.every((item) => typeof item !== 'number' || isInteger(item))
  const shape = [items.length]
  if (isBool) return { dtype: 'int8', shape, data: Int8Array.from(items, Number) }
  if (!isWhole) return { dtype: 'float64', shape, data: Float64Array.from(items, Number) }
  const whole = items.map((item) => BigInt(typeof item === 'bigint' ? item : Number(item)))
  return whole.every(isInt64) ? { dtype: 'int64', shape, data: BigInt64Array.from(whole) } : undefined
}
