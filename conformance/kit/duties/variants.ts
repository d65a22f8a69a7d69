/** One DrawBatch in the ways that proto3 allows: what a reader must take, whatever a server of today sends. */
import type { mcbackend } from '../../../src/core/generated/messages.js'

interface Style {
  /** Fields and columns in the order against their numbers. */
  readonly isReversed?: boolean
  /** Numbers of shapes: one field each, or the first alone and the others together. */
  readonly shapes?: 'unpacked' | 'mixed'
  /** Fields of numbers that no schema has. */
  readonly hasUnknown?: boolean
  /** Fields with their default values, which are usually left out. */
  readonly hasDefaults?: boolean
}

export const STYLES: Readonly<Record<string, Style>> = {
  'in the usual form': {},
  'fields and columns in reverse': { isReversed: true },
  'shapes unpacked': { shapes: 'unpacked' },
  'shapes packed and unpacked': { shapes: 'mixed' },
  'unknown fields': { hasUnknown: true },
  'default values written out': { hasDefaults: true },
  'all of these': { isReversed: true, shapes: 'unpacked', hasUnknown: true, hasDefaults: true },
}

function varint(value: number | bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt(value)
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}

const varintField = (number: number, value: number | bigint) => Buffer.from([...varint(number << 3), ...varint(value)])
const bytesField = (number: number, bytes: Uint8Array) =>
  Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes])

/** A varint, 64 bits, bytes and 32 bits under numbers beyond those of the schema. */
const UNKNOWN: readonly Buffer[] = [
  varintField(1000, 2n ** 63n),
  Buffer.from([...varint((1001 << 3) | 1), 1, 2, 3, 4, 5, 6, 7, 8]),
  bytesField(1002, Buffer.from('of a later schema')),
  Buffer.from([...varint((1003 << 3) | 5), 1, 2, 3, 4]),
]

function joined(fields: readonly Buffer[], { isReversed, hasUnknown }: Style): Buffer {
  const all = hasUnknown ? [...UNKNOWN.slice(0, 2), ...fields, ...UNKNOWN.slice(2)] : fields
  return Buffer.concat(isReversed ? all.toReversed() : all)
}

/** Fields of shapes; several of a kind keep their order where they are turned around. */
function shapeFields(shapes: readonly number[], { shapes: style, isReversed }: Style): Buffer[] {
  if (shapes.length === 0) return []
  const packed = (some: readonly number[]) => bytesField(4, Buffer.from(some.flatMap((n) => varint(n))))
  const one = (n: number) => varintField(4, n)
  if (style === undefined) return [packed(shapes)]
  const fields = style === 'unpacked' ? shapes.map(one) : [one(shapes[0] ?? 0), packed(shapes.slice(1))]
  return isReversed ? fields.toReversed() : fields
}

function encodeColumn({ name, dtype, data, shapes, strings }: mcbackend.Column.$Properties, style: Style): Buffer {
  const bytes = data ?? new Uint8Array()
  const texts = (strings ?? []).map((text) => bytesField(5, Buffer.from(text)))
  const fields = [
    bytesField(1, Buffer.from(name ?? '')),
    bytesField(2, Buffer.from(dtype ?? '')),
    ...(bytes.length > 0 || style.hasDefaults ? [bytesField(3, bytes)] : []),
    ...shapeFields(shapes ?? [], style),
    ...(style.isReversed ? texts.toReversed() : texts),
  ]
  return joined(fields, style)
}

/** The wire form of a batch in a style. */
export function encodeBatch(batch: mcbackend.DrawBatch, style: Style): Buffer {
  const { start, count, draws, stats, step } = batch
  const zigzag = BigInt.asUintN(64, (BigInt(String(step)) << 1n) ^ (BigInt(String(step)) >> 63n))
  const columns = (number: number, some: readonly mcbackend.Column.$Properties[]) =>
    some.map((column) => bytesField(number, encodeColumn(column, style)))
  const numbers = [
    [1, BigInt(String(start))],
    [2, BigInt(count)],
    [5, zigzag],
  ] as const
  const [first, second, last] = numbers.map(([number, value]) =>
    value !== 0n || style.hasDefaults ? [varintField(number, value)] : [],
  )
  return joined(
    [...(first ?? []), ...(second ?? []), ...columns(3, draws), ...columns(4, stats), ...(last ?? [])],
    style,
  )
}
