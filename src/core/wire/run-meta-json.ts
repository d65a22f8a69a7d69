/** The canonical proto3 JSON mapping of RunMeta (protobuf.dev/programming-guides/json). */
import { McbError } from '../errors.ts'
import type { google, mcbackend, npproto } from '../generated/messages.js'
import type { JsonValue as Json } from '../json.ts'
import { MAX_DURATION, MAX_TIMESTAMP, MIN_TIMESTAMP } from './json-times.ts'

/**
 * RunMeta as JSON; fields at their default are left out.
 *
 * @throws McbError `invalid_run_meta` for values that JSON cannot express
 */
export function runMetaToJson(meta: mcbackend.RunMeta.$Properties): Json {
  return compact({
    rid: meta.rid ?? '',
    variables: (meta.variables ?? []).map(variableToJson),
    coordinates: (meta.coordinates ?? []).map((c) =>
      compact({ name: c.name ?? '', values: c.values ? ndarrayToJson(c.values) : undefined }),
    ),
    attributes: mapToJson(meta.attributes ?? {}, attributeToJson),
    sampleStats: (meta.sampleStats ?? []).map(variableToJson),
    data: (meta.data ?? []).map((d) =>
      compact({
        name: d.name ?? '',
        value: d.value ? ndarrayToJson(d.value) : undefined,
        dims: d.dims ?? [],
        isObserved: d.isObserved ?? false,
      }),
    ),
  })
}

/** Refuses metadata at registration that could not be given back as JSON later. */
export function checkJsonMapping(meta: mcbackend.RunMeta.$Properties): void {
  for (const [name, value] of Object.entries(meta.attributes ?? {})) {
    try {
      attributeToJson(value)
    } catch (error) {
      if (!(error instanceof McbError)) throw error
      throw new McbError('invalid_run_meta', `attribute "${name}": ${error.message}`)
    }
  }
}

function variableToJson(v: mcbackend.Variable.$Properties): Json {
  return compact({
    name: v.name ?? '',
    dtype: v.dtype ?? '',
    shape: (v.shape ?? []).map(String),
    dims: v.dims ?? [],
    isDeterministic: v.isDeterministic ?? false,
    undefinedNdim: v.undefinedNdim ?? false,
  })
}

export function ndarrayToJson(array: npproto.ndarray.$Properties): Json {
  return compact({
    data: toBase64(array.data ?? new Uint8Array()),
    dtype: array.dtype ?? '',
    shape: (array.shape ?? []).map(String),
    strides: (array.strides ?? []).map(String),
    order: array.order ?? '',
  })
}

export function attributeToJson(value: mcbackend.ExtendedValue.$Properties): Json {
  switch (value.kind) {
    case 'nullValue':
      return { nullValue: null }
    case 'numberValue':
      return { numberValue: numberToJson(value.numberValue ?? 0) }
    case 'stringValue':
      return { stringValue: value.stringValue ?? '' }
    case 'boolValue':
      return { boolValue: value.boolValue ?? false }
    case 'structValue':
      return { structValue: structToJson(value.structValue ?? {}) }
    case 'listValue':
      return { listValue: (value.listValue?.values ?? []).map(valueToJson) }
    case 'timestampValue':
      return { timestampValue: timestampToJson(value.timestampValue ?? {}) }
    case 'durationValue':
      return { durationValue: durationToJson(value.durationValue ?? {}) }
    case 'ndarrayValue':
      return { ndarrayValue: ndarrayToJson(value.ndarrayValue ?? {}) }
    default:
      return {}
  }
}

function structToJson(struct: google.protobuf.Struct.$Properties): Json {
  return mapToJson(struct.fields ?? {}, valueToJson)
}

function valueToJson(value: google.protobuf.Value.$Properties): Json {
  switch (value.kind) {
    case 'nullValue':
      return null
    case 'numberValue': {
      const number = value.numberValue ?? 0
      if (!Number.isFinite(number)) throw new McbError('invalid_run_meta', `${number} cannot stand inside a Struct`)
      return number
    }
    case 'stringValue':
      return value.stringValue ?? ''
    case 'boolValue':
      return value.boolValue ?? false
    case 'structValue':
      return structToJson(value.structValue ?? {})
    case 'listValue':
      return (value.listValue?.values ?? []).map(valueToJson)
    default:
      // A Value without a kind: the official runtimes give null.
      return null
  }
}

function numberToJson(number: number): Json {
  if (Number.isNaN(number)) return 'NaN'
  if (number === Number.POSITIVE_INFINITY) return 'Infinity'
  if (number === Number.NEGATIVE_INFINITY) return '-Infinity'
  return number
}

function timestampToJson({ seconds, nanos }: google.protobuf.Timestamp.$Properties): string {
  const s = Number(seconds ?? 0)
  const n = nanos ?? 0
  if (s < MIN_TIMESTAMP || s > MAX_TIMESTAMP || n < 0 || n > 999_999_999) {
    throw new McbError('invalid_run_meta', `the timestamp ${s} s + ${n} ns is out of range`)
  }
  return `${new Date(s * 1000).toISOString().slice(0, 19)}${fraction(n)}Z`
}

function durationToJson({ seconds, nanos }: google.protobuf.Duration.$Properties): string {
  const s = Number(seconds ?? 0)
  const n = nanos ?? 0
  if (Math.abs(s) > MAX_DURATION || Math.abs(n) > 999_999_999 || s * n < 0) {
    throw new McbError('invalid_run_meta', `the duration ${s} s + ${n} ns is out of range`)
  }
  return `${s < 0 || n < 0 ? '-' : ''}${Math.abs(s)}${fraction(Math.abs(n))}s`
}

/** Nanoseconds as 0, 3, 6 or 9 digits behind a point. */
function fraction(nanos: number): string {
  if (nanos === 0) return ''
  const digits = String(nanos).padStart(9, '0')
  return `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`
}

export function toBase64(bytes: Uint8Array): string {
  let text = ''
  // String.fromCharCode takes its bytes as arguments: few enough for the stack.
  for (let i = 0; i < bytes.length; i += 8190) text += String.fromCharCode(...bytes.subarray(i, i + 8190))
  return btoa(text)
}

/** A map as an object; its properties are defined and not assigned, since a key may be `__proto__`. */
function mapToJson<T>(map: { readonly [key: string]: T }, convert: (value: T) => Json): { [key: string]: Json } {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, convert(value)]))
}

/** The fields without those that proto3 JSON leaves out: empty strings, lists and maps, false, and absent messages. */
function compact(fields: { readonly [key: string]: Json | undefined }): Json {
  const isDefault = (v: Json | undefined) =>
    v === undefined || v === '' || v === false || (Array.isArray(v) && v.length === 0)
  const isEmptyMap = (key: string, v: Json | undefined) =>
    key === 'attributes' && typeof v === 'object' && v !== null && Object.keys(v).length === 0
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, v]) =>
      v === undefined || isDefault(v) || isEmptyMap(key, v) ? [] : [[key, v] as const],
    ),
  )
}
