/**
 * Variables of text: in place of each element stands a reference into a heap, and heaps lie behind these references. Only where
 * each heap begins is known at a time, so that any part is made by reading no more than its own texts.
 */

import { sizeOf } from '../../draws/ndarray.ts'
import type { Bytes } from '../../draws/segment.ts'
import type { Drawn, Given } from '../../inference/tree.ts'
import { type StringPiece, stringsOf } from '../../inference/values.ts'
import { PACE_BYTES } from '../../selection.ts'
import { Pace, turn } from '../../turn.ts'
import {
  COLLECTION_HEAD,
  collectionSize,
  FULL_BYTES,
  FULL_OBJECTS,
  OBJECT_HEAD,
  objectSize,
  setCollectionHead,
  setObjectHead,
  setReference,
} from './heaps.ts'
import type { DrawSource } from './source.ts'
import { REFERENCE_BYTES } from './types.ts'

/** The heaps of a variable. */
export interface TextPlan {
  readonly elements: number
  /** The first element of each heap. */
  readonly starts: readonly number[]
  /** The place of each heap among them, and at the end the bytes of all. */
  readonly offsets: readonly number[]
}

export type TextVariable = (Drawn | Given) & { readonly dtype: 'str' }

/** Bytes of a text that is not copied among its neighbours. */
const LARGE_TEXT = 64 * 1024
/** Bytes of what is written at a time. */
const PIECE_BYTES = 256 * 1024

/** The first object of each heap, one NUL, stands for all empty texts: readers disagree about texts without bytes. */
const EMPTY = { index: 1, length: 1 }
const EMPTY_SIZE = objectSize(EMPTY.length)

/** Bytes that a text takes in a heap. */
function sizeInHeap(length: number): number {
  return length === 0 ? 0 : objectSize(length)
}

/** Goes through all texts of a variable, and divides them among heaps. */
export async function planTexts(variable: TextVariable, source: DrawSource): Promise<TextPlan> {
  const elements = sizeOf(variable.shape)
  const plan = { elements, starts: [] as number[], offsets: [0] }
  const pace = new Pace(PACE_BYTES)
  let objects = 0
  let bytes = EMPTY_SIZE
  let at = 0
  const end = () => plan.offsets.push((plan.offsets.at(-1) ?? 0) + collectionSize(bytes))
  for await (const { lengths } of textsOf(variable, source, 0, elements)) {
    if (pace.isDue(lengths.length * REFERENCE_BYTES)) await turn()
    for (const length of lengths) {
      const size = sizeInHeap(length)
      if (objects === 0 || objects === FULL_OBJECTS || bytes + size > FULL_BYTES) {
        if (objects > 0) end()
        plan.starts.push(at)
        objects = 0
        bytes = EMPTY_SIZE
      }
      objects++
      bytes += size
      at++
    }
  }
  if (objects > 0) end()
  if (at !== elements) throw new RangeError(`"${variable.name}" gave ${at} texts in place of ${elements}`)
  return plan
}

/** The elements `from … to` of a variable in C order. */
async function* textsOf(
  variable: TextVariable,
  source: DrawSource,
  from: number,
  to: number,
): AsyncGenerator<StringPiece> {
  if (variable.kind === 'given') {
    yield* stringsOf(variable, from, to - from)
    return
  }
  const draws = variable.shape[1] ?? 0
  const each = sizeOf(variable.shape.slice(2))
  const ofChain = draws * each
  for (let at = from; at < to; ) {
    const chain = Math.floor(at / ofChain)
    const end = Math.min(to, (chain + 1) * ofChain)
    const first = Math.floor((at - chain * ofChain) / each)
    const behind = Math.ceil((end - chain * ofChain) / each)
    const skip = at - chain * ofChain - first * each
    yield* partOf(source.texts(variable, chain, first, behind - first), skip, end - at)
    at = end
  }
}

/** `count` texts behind the first `skip`. */
async function* partOf(pieces: AsyncGenerator<StringPiece>, skip: number, count: number): AsyncGenerator<StringPiece> {
  let before = skip
  let left = count
  for await (const piece of pieces) {
    const { length } = piece.lengths
    const part = before < length ? cut(piece, before, Math.min(length, before + left)) : undefined
    before = Math.max(0, before - length)
    if (part === undefined) continue
    left -= part.lengths.length
    yield part
    if (left === 0) return
  }
}

function cut({ lengths, payload }: StringPiece, from: number, to: number): StringPiece {
  if (from === 0 && to === lengths.length) return { lengths, payload }
  const begin = bytesOfTexts(lengths, 0, from)
  return {
    lengths: lengths.subarray(from, to),
    payload: payload.subarray(begin, begin + bytesOfTexts(lengths, from, to)),
  }
}

function bytesOfTexts(lengths: Uint32Array, from: number, to: number): number {
  let bytes = 0
  for (let i = from; i < to; i++) bytes += lengths[i] ?? 0
  return bytes
}

/** Some texts that share a heap. */
interface HeapPart extends StringPiece {
  readonly heap: number
  readonly isFirst: boolean
  readonly isLast: boolean
}

/** The texts of the heaps `first … behind`, divided where a heap ends. */
async function* byHeaps(
  variable: TextVariable,
  { starts, elements }: TextPlan,
  source: DrawSource,
  first: number,
  behind: number,
): AsyncGenerator<HeapPart> {
  let heap = first
  let at = starts[first] ?? 0
  for await (const piece of textsOf(variable, source, at, starts[behind] ?? elements)) {
    for (let from = 0; from < piece.lengths.length; ) {
      const end = starts[heap + 1] ?? elements
      const to = Math.min(piece.lengths.length, from + end - at)
      const isLast = at + to - from === end
      yield { ...cut(piece, from, to), heap, isFirst: at === starts[heap], isLast }
      at += to - from
      from = to
      if (isLast) heap++
    }
  }
}

/** The last heap that begins at or before `value`. */
function heapAt(begins: readonly number[], value: number): number {
  let low = 0
  let high = begins.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((begins[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}

/** Bytes of a part that begin before the one that was asked for. */
export interface Begun {
  readonly skip: number
  readonly pieces: AsyncGenerator<Bytes>
}

/** References to the texts, from one of the bytes `from … to` on. @param address that of the first heap */
export function references(
  variable: TextVariable,
  plan: TextPlan,
  source: DrawSource,
  { from, to, address }: { readonly from: number; readonly to: number; readonly address: number },
): Begun {
  const first = heapAt(plan.starts, Math.floor(from / REFERENCE_BYTES))
  const behind = heapAt(plan.starts, Math.floor((to - 1) / REFERENCE_BYTES)) + 1
  const parts = byHeaps(variable, plan, source, first, behind)
  return { skip: from - (plan.starts[first] ?? 0) * REFERENCE_BYTES, pieces: referencesOf(parts, plan, address) }
}

async function* referencesOf(
  parts: AsyncGenerator<HeapPart>,
  { offsets }: TextPlan,
  address: number,
): AsyncGenerator<Bytes> {
  let last = 1
  for await (const { lengths, heap, isFirst } of parts) {
    if (isFirst) last = 1
    const bytes = new Uint8Array(lengths.length * REFERENCE_BYTES)
    const view = new DataView(bytes.buffer)
    const at = address + (offsets[heap] ?? 0)
    lengths.forEach((length, i) => {
      if (length > 0) last++
      const object = length > 0 ? { index: last, length } : EMPTY
      setReference(view, i * REFERENCE_BYTES, { ...object, address: at })
    })
    yield bytes
  }
}

/** The heaps of which the bytes `from … to` are a part. */
export function heaps(
  variable: TextVariable,
  plan: TextPlan,
  source: DrawSource,
  { from, to }: { readonly from: number; readonly to: number },
): Begun {
  const begins = plan.offsets.slice(0, -1)
  const first = heapAt(begins, from)
  const parts = byHeaps(variable, plan, source, first, heapAt(begins, to - 1) + 1)
  return { skip: from - (plan.offsets[first] ?? 0), pieces: heapsOf(parts, plan) }
}

async function* heapsOf(parts: AsyncGenerator<HeapPart>, { offsets }: TextPlan): AsyncGenerator<Bytes> {
  let index = EMPTY.index
  let left = 0
  for await (const { heap, isFirst, isLast, lengths, payload } of parts) {
    if (isFirst) {
      const size = (offsets[heap + 1] ?? 0) - (offsets[heap] ?? 0)
      index = EMPTY.index
      left = size - COLLECTION_HEAD - EMPTY_SIZE
      yield headOf(size)
    }
    for (const bytes of objectsOf(lengths, payload, index)) {
      left -= bytes.length
      yield bytes
    }
    for (const length of lengths) if (length > 0) index++
    if (isLast) yield freeSpace(left)
  }
}

function headOf(size: number): Bytes {
  const bytes = new Uint8Array(COLLECTION_HEAD + EMPTY_SIZE)
  const view = new DataView(bytes.buffer)
  setCollectionHead(view, 0, size)
  setObjectHead(view, COLLECTION_HEAD, EMPTY.index, EMPTY.length)
  return bytes
}

function freeSpace(size: number): Bytes {
  const bytes = new Uint8Array(size)
  setObjectHead(new DataView(bytes.buffer), 0, 0, size)
  return bytes
}

/** The objects of some texts, numbered on from `index`: small ones together, and large ones without a copy. */
function* objectsOf(lengths: Uint32Array, payload: Bytes, index: number): Generator<Bytes> {
  let next = index
  let at = 0
  for (let i = 0; i < lengths.length; ) {
    const length = lengths[i] ?? 0
    if (length >= LARGE_TEXT) {
      next++
      yield objectHead(next, length)
      yield payload.subarray(at, at + length)
      if (length % 8 !== 0) yield new Uint8Array(-length & 7)
      at += length
      i++
      continue
    }
    const { count, size } = smallOnes(lengths, i)
    const bytes = new Uint8Array(size)
    const view = new DataView(bytes.buffer)
    let to = 0
    for (let k = i; k < i + count; k++) {
      const own = lengths[k] ?? 0
      if (own === 0) continue
      next++
      setObjectHead(view, to, next, own)
      bytes.set(payload.subarray(at, at + own), to + OBJECT_HEAD)
      at += own
      to += objectSize(own)
    }
    i += count
    if (size > 0) yield bytes
  }
}

function objectHead(index: number, length: number): Bytes {
  const bytes = new Uint8Array(OBJECT_HEAD)
  setObjectHead(new DataView(bytes.buffer), 0, index, length)
  return bytes
}

/** Texts from `from` on that are small, and their objects about as large as a piece. */
function smallOnes(lengths: Uint32Array, from: number): { readonly count: number; readonly size: number } {
  let size = 0
  let i = from
  for (; i < lengths.length && size < PIECE_BYTES; i++) {
    const length = lengths[i] ?? 0
    if (length >= LARGE_TEXT) break
    size += sizeInHeap(length)
  }
  return { count: i - from, size }
}
