/** Values of variables that came with the metadata, and labels that count, as bytes and as text. */

import { bytesOf } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import type { Counted, Given } from './tree.ts'

/** Some strings: the bytes that each has, and their UTF-8. */
export interface StringPiece {
  readonly lengths: Uint32Array
  readonly payload: Bytes
}

/** Elements that are made at a time. */
const AT_ONCE = 32 * 1024

/**
 * Elements `first … first + count` in C order, little-endian. Bytes may be views on the metadata: they are not the caller's to change.
 *
 * @param variable one of numbers
 */
export function* numbersOf(variable: Given | Counted, first: number, count: number): Generator<Bytes> {
  if (variable.kind === 'counted') {
    yield* counted(variable, first, count)
    return
  }
  const { array } = variable
  if (array.dtype === 'str' || count === 0) return
  const size = array.data.BYTES_PER_ELEMENT
  yield bytesOf(array.data).subarray(first * size, (first + count) * size)
}

function* counted({ first: begin, step }: Counted, first: number, count: number): Generator<Bytes> {
  for (let done = 0; done < count; ) {
    const labels = new BigInt64Array(Math.min(AT_ONCE, count - done))
    for (let i = 0; i < labels.length; i++) labels[i] = BigInt(begin) + BigInt(step) * BigInt(first + done + i)
    yield bytesOf(labels)
    done += labels.length
  }
}

/** Elements `first … first + count` of text, in C order. */
export function* stringsOf({ array }: Given, first: number, count: number): Generator<StringPiece> {
  if (array.dtype !== 'str') return
  const encoder = new TextEncoder()
  for (let done = 0; done < count; ) {
    const texts = array.data.slice(first + done, first + Math.min(count, done + AT_ONCE))
    if (texts.length === 0) return
    yield joinTexts(texts.map((text) => encoder.encode(text)))
    done += texts.length
  }
}

function joinTexts(texts: readonly Bytes[]): StringPiece {
  const lengths = Uint32Array.from(texts, (text) => text.length)
  const payload = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const text of texts) {
    payload.set(text, at)
    at += text.length
  }
  return { lengths, payload }
}
