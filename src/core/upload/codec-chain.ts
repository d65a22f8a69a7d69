/** Codecs of an array: how the elements of a chunk become bytes, and what these are wrapped in. */
import { McbError } from '../errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import type { ElementType } from './element-type.ts'

export type Wrapping = 'blosc' | 'zstd'

export interface CodecChain {
  /** True where the elements are stored with their highest byte first. */
  readonly isBigEndian: boolean
  /** Compressions, in the order in which a writer applies them. */
  readonly wrappings: readonly Wrapping[]
}

const WRAPPINGS = 2

/** @throws McbError `invalid_run_meta`, which names the codec and the way out */
export function parseCodecs(path: string, type: ElementType, value: JsonValue | undefined): CodecChain {
  const refuse = (why: string) => new McbError('invalid_run_meta', `${path}: ${why}`)
  if (!Array.isArray(value) || value.length === 0) throw refuse('its codecs are no list')
  const codecs: JsonObject[] = []
  for (const codec of value) {
    const named: JsonValue = typeof codec === 'string' ? { name: codec } : codec
    if (!isObject(named) || typeof named.name !== 'string') throw refuse('a codec without a name')
    codecs.push(named)
  }
  const [first = {}, ...rest] = codecs
  const serialiser = type.form === 'utf8' ? 'vlen-utf8' : 'bytes'
  if (first.name !== serialiser) throw refuse(unknownCodec(first, `the first codec must be "${serialiser}"`))
  if (rest.length > WRAPPINGS) throw refuse(`more than ${WRAPPINGS} compressors`)
  const wrappings = rest.map((codec): Wrapping => {
    const name = codec.name
    if (name === 'blosc' || name === 'zstd') return name
    throw refuse(unknownCodec(codec, 'take blosc, zstd or no compressor'))
  })
  const configuration = first.configuration
  return { isBigEndian: isObject(configuration) && configuration.endian === 'big', wrappings }
}

function unknownCodec(codec: JsonObject, wayOut: string): string {
  return `the codec "${String(codec.name)}" is not known here; ${wayOut} (in xarray: encoding={name: {"compressors": None}})`
}
