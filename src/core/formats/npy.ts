/** Draws of one column as a NumPy array: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

import type { NumericDtype } from '../draws/dtype.ts'
import type { RigidColumn } from '../draws/elements.ts'
import { type Bytes, unpackSegment } from '../draws/segment.ts'
import type { Limits } from '../limits.ts'
import { type Piece, pieces, type Selection } from '../selection.ts'
import { turn } from '../turn.ts'
import { type Answer, requireAnswerFits } from './answer.ts'

const CODES: { readonly [D in NumericDtype]: string } = {
  bool: '|b1',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  float32: '<f4',
  float64: '<f8',
}

/** Bytes to a multiple of which the head is filled up, and those before its text in versions 1 and 2. */
const ALIGNMENT = 64
const BEFORE = { 1: 10, 2: 12 } as const
const MOST_SHORT = 65_535
/** Bytes of a character: NumPy keeps strings as UTF-32 of one width. */
const CHARACTER = 4
/** Bytes of strings that are written at a time. */
const STEP = 256 * 1024

/** Bytes of the array; undefined for strings, of which the longest must be known. */
export function npyLength(spec: RigidColumn, { slice }: Selection): number | undefined {
  if (spec.kind === 'rigid-strings') return undefined
  return headOf(CODES[spec.dtype], slice.count, spec.shape).length + slice.count * spec.stride
}

/**
 * An array of shape (draws, …). Strings are read twice, since NumPy gives all of them the width of the longest.
 *
 * @throws McbError `payload_too_large` where strings of that width would be more than an answer may have
 */
export async function npyAnswer(spec: RigidColumn, selection: Selection, limits: Limits): Promise<Answer> {
  const { count } = selection.slice
  if (spec.kind === 'rigid-numbers') {
    const head = headOf(CODES[spec.dtype], count, spec.shape)
    return { length: head.length + count * spec.stride, body: numbers(head, selection) }
  }
  const width = await longest(spec, selection)
  const head = headOf(`<U${width}`, count, spec.shape)
  const length = head.length + count * spec.elements * width * CHARACTER
  requireAnswerFits(length, limits)
  return { length, body: strings(head, spec, selection, width) }
}

function headOf(code: string, count: number, shape: readonly number[]): Bytes {
  const axes = [count, ...shape]
  const tuple = axes.length === 1 ? `${axes[0]},` : axes.join(', ')
  const text = `{'descr': '${code}', 'fortran_order': False, 'shape': (${tuple}), }`
  const version = text.length + ALIGNMENT > MOST_SHORT ? 2 : 1
  const before = BEFORE[version]
  const length = Math.ceil((before + text.length + 1) / ALIGNMENT) * ALIGNMENT
  const bytes = new Uint8Array(length).fill(0x20)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0])
  const view = new DataView(bytes.buffer)
  if (version === 1) view.setUint16(8, length - before, true)
  else view.setUint32(8, length - before, true)
  bytes.set(new TextEncoder().encode(text), before)
  bytes[length - 1] = 0x0a
  return bytes
}

async function* numbers(head: Bytes, selection: Selection): AsyncGenerator<Bytes> {
  yield head
  for await (const { data } of pieces(selection)) if (data.length > 0) yield data
}

/** The texts of a piece. */
function* textsOf(spec: RigidColumn, { data, count }: Piece): Generator<Bytes> {
  const { lengths, payload } = unpackSegment(spec, data, count)
  let at = 0
  for (const length of lengths) {
    yield payload.subarray(at, at + length)
    at += length
  }
}

/** Characters of the longest string, 1 at least. */
async function longest(spec: RigidColumn, selection: Selection): Promise<number> {
  let most = 1
  for await (const piece of pieces(selection)) {
    await turn()
    for (const text of textsOf(spec, piece)) if (text.length > most) most = Math.max(most, charactersOf(text))
  }
  return most
}

/** Characters of UTF-8: all bytes but those that continue one. */
function charactersOf(text: Bytes): number {
  let count = 0
  for (const byte of text) if ((byte & 0xc0) !== 0x80) count++
  return count
}

async function* strings(head: Bytes, spec: RigidColumn, selection: Selection, width: number): AsyncGenerator<Bytes> {
  yield head
  const words = new Words()
  for await (const piece of pieces(selection)) {
    for (const text of textsOf(spec, piece)) {
      for (const chunk of words.write(text, width)) {
        yield chunk
        await turn()
      }
    }
  }
  yield words.rest()
}

/** Strings as UTF-32, in chunks: one may be as long as it likes. */
class Words {
  private out = new Uint32Array(STEP / CHARACTER)
  private at = 0;

  /** Writes valid UTF-8, filled up with zeros to `width` characters; gives full chunks. */
  *write(text: Bytes, width: number): Generator<Bytes> {
    let written = 0
    for (let i = 0; i < text.length; written++) {
      if (this.at === this.out.length) yield this.cut()
      const size = sizeOf(text[i] ?? 0)
      this.out[this.at++] = pointAt(text, i, size)
      i += size
    }
    for (let left = width - written; left > 0; ) {
      if (this.at === this.out.length) yield this.cut()
      const zeros = Math.min(left, this.out.length - this.at)
      this.at += zeros
      left -= zeros
    }
  }

  rest(): Bytes {
    return new Uint8Array(this.out.buffer, 0, this.at * CHARACTER)
  }

  private cut(): Bytes {
    const full = this.rest()
    this.out = new Uint32Array(this.out.length)
    this.at = 0
    return full
  }
}

/** Bytes of the character that begins with this one. */
function sizeOf(lead: number): number {
  if (lead < 0x80) return 1
  if (lead < 0xe0) return 2
  return lead < 0xf0 ? 3 : 4
}

function pointAt(text: Bytes, at: number, size: number): number {
  const lead = text[at] ?? 0
  let point = size === 1 ? lead : lead & (0x7f >> size)
  for (let i = at + 1; i < at + size; i++) point = (point << 6) | ((text[i] ?? 0) & 0x3f)
  return point
}
