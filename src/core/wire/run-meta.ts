/** RunMeta at the border: bytes in, validated once, with the schema of the run and the bytes to give back. */
import protobuf from 'protobufjs/minimal.js'
import { buildSchema, type Schema } from '../draws/columns.ts'
import { McbError } from '../errors.ts'
import { google, mcbackend, npproto } from '../generated/messages.js'
import type { Limits } from '../limits.ts'
import { refuseObjectArrays } from './object-arrays.ts'
import { concatBytes, fieldHead, LENGTH_DELIMITED, WireReader } from './protobuf.ts'
import { checkJsonMapping } from './run-meta-json.ts'

const { Reader, Writer } = protobuf

export { google, mcbackend, npproto }
export type RunMeta = mcbackend.RunMeta

/** A registered run: its bytes, and all that is made of them. */
export interface ParsedMeta {
  /** The registered bytes, `rid` filled in. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly meta: RunMeta
  readonly schema: Schema
  /** Bytes of memory that all of this takes, roughly. */
  readonly weight: number
}

const RID = /^[A-Za-z0-9._~-]{1,128}$/
/** Bytes of a field in a decoded message at most: a hundred times its smallest wire form. */
const FIELD_BYTES = 250
/**
 * Bounds decoded messages to some 60 MiB, where an isolate has 128. Real metadata has a few thousand fields, and 70,000
 * with 10,000 variables.
 */
export const MAX_FIELDS = 250_000

export function isRunId(rid: string): boolean {
  return RID.test(rid) && rid !== '.' && rid !== '..'
}

const MAX_CHAIN = 2 ** 31 - 1

export function isChainNumber(chain: number): boolean {
  return Number.isInteger(chain) && chain >= 0 && chain <= MAX_CHAIN
}

/**
 * Parses metadata that was registered before.
 *
 * @throws McbError `invalid_protobuf`, `invalid_run_meta` or `unsupported_dtype`
 */
export function parseRunMeta(bytes: Uint8Array<ArrayBuffer>, limits: Limits): ParsedMeta {
  const weight = bytes.length + FIELD_BYTES * countFields(bytes)
  const meta = decodeRunMeta(bytes)
  const schema = buildSchema(meta.variables ?? [], meta.sampleStats ?? [], limits)
  return { bytes, meta, schema, weight }
}

/**
 * Validates a RunMeta that shall be registered under `rid`, and fills that in.
 *
 * @throws McbError as `parseRunMeta`, `unsupported_dtype` also for arrays of Python objects, and `invalid_run_meta` when
 *   it names another rid or JSON cannot express it
 */
export function acceptRunMeta(bytes: Uint8Array<ArrayBuffer>, rid: string, limits: Limits): ParsedMeta {
  const parsed = parseRunMeta(bytes, limits)
  refuseObjectArrays(parsed.meta)
  const own = parsed.meta.rid
  if (own && own !== rid) {
    throw new McbError('invalid_run_meta', `the metadata names the run "${own}", the address "${rid}"`)
  }
  checkJsonMapping(parsed.meta)
  if (own) return parsed
  const filled = concatBytes([fieldHead(1, rid.length), new TextEncoder().encode(rid), withoutRid(bytes)])
  parsed.meta.rid = rid
  return { ...parsed, bytes: filled }
}

/** Decodes without judging the content. */
export function decodeRunMeta(bytes: Uint8Array<ArrayBuffer>): RunMeta {
  try {
    return mcbackend.RunMeta.decode(bytes)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unreadable'
    throw new McbError('invalid_protobuf', `the body is not a valid RunMeta: ${why}`)
  }
}

/**
 * The wire form of a RunMeta. With the plain writer: the one for Node's Buffer, which protobufjs would choose, leaves the
 * length out when it calls `utf8Write`, and workerd's Buffer then refuses strings that fit.
 */
export function encodeRunMeta(meta: mcbackend.RunMeta.$Properties): Uint8Array<ArrayBuffer> {
  return new Uint8Array(mcbackend.RunMeta.encode(meta, new Writer()).finish())
}

/** True where two RunMeta are equal as messages: field and map order do not matter, doubles compare by their bits. */
export function equalRunMeta(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): boolean {
  const x = canonicalBytes(a)
  const y = canonicalBytes(b)
  return x.length === y.length && x.every((byte, i) => byte === y[i])
}

/**
 * One wire form for equal messages: fields in the order of their numbers, maps sorted, one member of each oneof. Fields
 * of a newer schema stay, and count: two messages that differ in them are not equal.
 */
function canonicalBytes(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const reader = Reader.create(bytes)
  reader.discardUnknown = false
  const meta = mcbackend.RunMeta.decode(reader)
  for (const value of Object.values(meta.attributes ?? {})) {
    keepOnlySetMember(value)
    if (value.structValue) sortStruct(value.structValue)
    for (const item of value.listValue?.values ?? []) sortValue(item)
  }
  meta.attributes = sortKeys(meta.attributes ?? {})
  sortUnknown(meta)
  return encodeRunMeta(meta)
}

/** Puts the fields that are not known here, of a message and all in it, in the order of their numbers. */
function sortUnknown(message: { $unknowns?: Uint8Array[] }): void {
  for (const part of Object.values(message)) if (isPart(part)) sortUnknown(part)
  // Fields of one number keep their order: it counts where they are repeated.
  message.$unknowns?.sort((a, b) => Reader.create(a).uint32() - Reader.create(b).uint32())
}

function isPart(value: unknown): value is { $unknowns?: Uint8Array[] } {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
}

function sortStruct(struct: google.protobuf.Struct.$Properties): void {
  for (const value of Object.values(struct.fields ?? {})) sortValue(value)
  struct.fields = sortKeys(struct.fields ?? {})
}

function sortValue(value: google.protobuf.Value.$Properties): void {
  keepOnlySetMember(value)
  if (value.structValue) sortStruct(value.structValue)
  for (const item of value.listValue?.values ?? []) sortValue(item)
}

/** The generated decoder keeps every member of a oneof that was on the wire, and the last one's name in `kind`. */
function keepOnlySetMember(message: { kind?: string }): void {
  for (const member of Object.keys(message)) {
    if (member !== 'kind' && member !== message.kind && !member.startsWith('$')) Reflect.deleteProperty(message, member)
  }
}

/** Defined properties, not assigned ones: a key may be `__proto__`. */
function sortKeys<T>(map: { [key: string]: T }): { [key: string]: T } {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** The message without its field 1. */
function withoutRid(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const reader = new WireReader(bytes)
  const kept: Uint8Array[] = []
  for (let start = 0; reader.next(); start = reader.position) {
    const isRid = reader.field === 1 && reader.type === LENGTH_DELIMITED
    reader.skip()
    if (!isRid) kept.push(bytes.subarray(start, reader.position))
  }
  return concatBytes(kept)
}

/** Fields of a message that hold messages, or packed numbers (null). They are counted before anything is built. */
interface Nested {
  readonly [field: number]: () => Nested | null
}
const ndarray: Nested = { 3: () => null, 4: () => null }
const variable: Nested = { 3: () => null }
const struct: Nested = { 1: () => structEntry }
const list: Nested = { 1: () => value }
const value: Nested = { 5: () => struct, 6: () => list }
const structEntry: Nested = { 2: () => value }
const attribute: Nested = { 2: () => ({ 5: () => struct, 6: () => list, 9: () => ndarray }) }
const labelled: Nested = { 2: () => ndarray }
const runMeta: Nested = {
  3: () => variable,
  4: () => labelled,
  5: () => attribute,
  6: () => variable,
  7: () => labelled,
}

export function tooManyFields(): McbError {
  return new McbError('invalid_run_meta', `the metadata has more than ${MAX_FIELDS} fields; put numbers into arrays`)
}

/** Counts the fields of a message, and refuses one that would take up far more memory than its bytes. */
function countFields(bytes: Uint8Array<ArrayBuffer>): number {
  let fields = 0
  const count = (more: number) => {
    fields += more
    if (fields > MAX_FIELDS) throw tooManyFields()
  }
  const visit = (reader: WireReader, message: Nested, depth: number) => {
    if (depth > 100) throw new McbError('invalid_protobuf', 'the body is nested too deeply')
    while (reader.next()) {
      count(1)
      const nested = reader.type === LENGTH_DELIMITED ? message[reader.field]?.() : undefined
      if (nested === undefined) {
        reader.skip()
        continue
      }
      const length = reader.length()
      const end = reader.position + length
      if (nested === null) count(length)
      else visit(new WireReader(bytes, reader.position, end), nested, depth + 1)
      reader.position = end
    }
  }
  visit(new WireReader(bytes), runMeta, 0)
  return fields
}
