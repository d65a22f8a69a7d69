/**
 * Documents of a Zarr v3 store (`zarr.json`) that a sampler writes: groups, and arrays with the codecs that are known here.
 *
 * https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html
 */
import { sizeOf } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import type { Limits } from '../limits.ts'
import { inTurns } from '../turn.ts'
import { decodeJson } from '../wire/json-reader.ts'
import { valueOfJson } from '../wire/json-value.ts'
import { type CodecChain, parseCodecs } from './codec-chain.ts'
import { type ElementType, parseElementType, parseFill } from './element-type.ts'

export interface GroupDocument {
  readonly kind: 'group'
  readonly attributes: JsonObject
  /** True where the documents of all that is below stand in it: what xarray writes when a group is complete. */
  readonly isConsolidated: boolean
}

export interface ArrayDocument {
  readonly kind: 'array'
  readonly shape: readonly number[]
  /** Shape of every chunk, also of those at the edges. */
  readonly chunkShape: readonly number[]
  /** Chunks along each axis. */
  readonly grid: readonly number[]
  readonly type: ElementType
  /** Bytes of an element that was never written, little-endian; a text for strings. */
  readonly fill: Bytes | string
  readonly codecs: CodecChain
  /** Names of the axes; empty where the writer gives none. */
  readonly dims: readonly string[]
  readonly attributes: JsonObject
  /** Head of the keys of chunks, and what stands between the numbers. */
  readonly keys: { readonly prefix: string; readonly separator: string }
}

export type Document = GroupDocument | ArrayDocument

/** Bytes of a document of one array or group at most; consolidated ones are bounded as metadata of a run are. */
const DOCUMENT_BYTES = 1024 * 1024
/** Axes of an array at most. */
const AXES = 32

/**
 * @param path the document's, for messages
 * @throws McbError `invalid_json`, `invalid_run_meta`, `unsupported_dtype`, `payload_too_large`
 */
export async function parseDocument(path: string, bytes: Bytes, limits: Limits): Promise<Document> {
  const most = path === 'zarr.json' ? limits.runMetaBytes : Math.min(DOCUMENT_BYTES, limits.runMetaBytes)
  if (bytes.length > most) {
    throw new McbError('payload_too_large', `${path} has more than ${most} bytes`, { limit: most })
  }
  const value = await inTurns(valueOfJson(decodeJson(bytes)))
  const refuse = refusal(path)
  if (!isObject(value)) throw refuse('it is no object')
  if (value.zarr_format !== 3) {
    throw refuse('zarr_format is not 3; in xarray, to_zarr takes zarr_format=3')
  }
  const attributes = value.attributes ?? {}
  if (!isObject(attributes)) throw refuse('its attributes are no object')
  if (value.node_type === 'group') {
    return { kind: 'group', attributes, isConsolidated: isObject(value.consolidated_metadata ?? undefined) }
  }
  if (value.node_type !== 'array') throw refuse('its node_type is neither "group" nor "array"')
  return parseArray(path, value, attributes, limits)
}

function parseArray(path: string, value: JsonObject, attributes: JsonObject, limits: Limits): ArrayDocument {
  const refuse = refusal(path)
  const shape = lengthsOf(value.shape, 0) ?? fail(refuse, 'its shape is no list of lengths')
  const grid = value.chunk_grid
  if (!isObject(grid) || grid.name !== 'regular' || !isObject(grid.configuration)) {
    throw refuse('its chunk_grid is not "regular"')
  }
  const chunkShape = lengthsOf(grid.configuration.chunk_shape, 1) ?? fail(refuse, 'its chunk_shape is no list')
  if (chunkShape.length !== shape.length) throw refuse('chunk_shape and shape have different numbers of axes')
  if (value.storage_transformers !== undefined && !isEmptyList(value.storage_transformers)) {
    throw refuse('storage transformers are not known')
  }
  const type = parseElementType(path, value.data_type)
  const bytes = sizeOf(chunkShape) * Math.max(1, type.itemSize)
  if (bytes > limits.bodyBytes) {
    const detail = `a chunk of ${path} has ${bytes} bytes, and may have ${limits.bodyBytes}: make chunks smaller`
    throw new McbError('payload_too_large', detail, { limit: limits.bodyBytes })
  }
  return {
    kind: 'array',
    shape,
    chunkShape,
    grid: shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] ?? 1))),
    type,
    fill: parseFill(path, type, value.fill_value ?? null),
    codecs: parseCodecs(path, type, value.codecs),
    dims: dimsOf(value.dimension_names, shape.length) ?? fail(refuse, 'its dimension_names are no list of names'),
    attributes,
    keys: keysOf(value.chunk_key_encoding) ?? fail(refuse, 'its chunk_key_encoding is not known'),
  }
}

function refusal(path: string): (why: string) => McbError {
  return (why) => new McbError('invalid_run_meta', `${path}: ${why}`)
}

function fail(refuse: (why: string) => McbError, why: string): never {
  throw refuse(why)
}

function isEmptyList(value: JsonValue): boolean {
  return Array.isArray(value) && value.length === 0
}

function lengthsOf(value: JsonValue | undefined, least: number): number[] | undefined {
  if (!Array.isArray(value) || value.length > AXES) return undefined
  const lengths: number[] = []
  for (const length of value) {
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < least) return undefined
    lengths.push(length)
  }
  return lengths
}

function dimsOf(value: JsonValue | undefined, axes: number): string[] | undefined {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length !== axes) return undefined
  const names: string[] = []
  for (const name of value) {
    if (name !== null && typeof name !== 'string') return undefined
    names.push(name ?? '')
  }
  return names
}

function keysOf(value: JsonValue | undefined): ArrayDocument['keys'] | undefined {
  if (!isObject(value)) return undefined
  const configuration = value.configuration ?? {}
  if (!isObject(configuration)) return undefined
  const separator = configuration.separator ?? (value.name === 'v2' ? '.' : '/')
  if (separator !== '/' && separator !== '.') return undefined
  if (value.name === 'default') return { prefix: 'c', separator }
  return value.name === 'v2' ? { prefix: '', separator } : undefined
}
