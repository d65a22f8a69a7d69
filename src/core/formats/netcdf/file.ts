/** The bytes of a laid out file, or of a part of it, while its draws are read. */

import { ITEM_SIZE } from '../../draws/dtype.ts'
import { sizeOf } from '../../draws/ndarray.ts'
import type { Bytes } from '../../draws/segment.ts'
import type { Counted, Drawn, Given } from '../../inference/tree.ts'
import { numbersOf } from '../../inference/values.ts'
import type { Layout, Segment } from './layout.ts'
import type { DrawSource } from './source.ts'
import { type Begun, heaps, references } from './texts.ts'

/** Bytes of a file: `from` is the first, `to` the one behind the last. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/** Bytes of small variables that are asked for at a time: each for itself, very many would take as many questions. */
const TOGETHER_BYTES = 16 * 1024 * 1024
/** Bytes beyond which a variable is read for itself, chain after chain. */
const ALONE_BYTES = 4 * 1024 * 1024
/** Bytes of what is handed on at a time, where it is made here. */
const PIECE_BYTES = 64 * 1024
/** Bytes of a piece that is joined with its neighbours: each that is sent has its price. */
const SMALL_PIECE = 16 * 1024

type Pieces = AsyncGenerator<Bytes> | Generator<Bytes>

/** The bytes of a part of the file. */
export function fileBytes(layout: Layout, source: DrawSource, range: ByteRange): AsyncGenerator<Bytes> {
  return joined(parts(layout, source, range))
}

async function* parts(layout: Layout, source: DrawSource, { from, to }: ByteRange): AsyncGenerator<Bytes> {
  const { header, segments } = layout
  let at = from
  if (at < header.length) {
    const head = header.subarray(at, Math.min(to, header.length))
    yield head
    at += head.length
  }
  for (let i = segmentAt(segments, at); at < to; ) {
    const end = Math.min(to, segments[i]?.offset ?? layout.size)
    if (at < end) yield new Uint8Array(end - at)
    at = Math.max(at, end)
    const run = smallOnes(segments, i, { from: at, to })
    if (at < to && run.length > 0) {
      for await (const bytes of withGaps(source.together(run.map(({ variable }) => variable)), run)) {
        at += bytes.length
        yield bytes
      }
      i += run.length
      continue
    }
    const segment = segments[i]
    if (at === to || segment === undefined) return
    const part = { from: at - segment.offset, to: Math.min(to - segment.offset, segment.length) }
    yield* exactly(partOf(segment, source, part), part.to - part.from)
    at = segment.offset + part.to
    i++
  }
}

/** The first segment that ends behind a place. */
function segmentAt(segments: readonly Segment[], place: number): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >> 1
    const { offset = 0, length = 0 } = segments[middle] ?? {}
    if (offset + length <= place) low = middle + 1
    else high = middle
  }
  return low
}

type DrawnSegment = Extract<Segment, { kind: 'drawn' }>

/** Segments from one on that are small, drawn, and whole within the range: as many as are read together. */
function smallOnes(segments: readonly Segment[], first: number, { from, to }: ByteRange): readonly DrawnSegment[] {
  const run: DrawnSegment[] = []
  let bytes = 0
  for (let i = first; ; i++) {
    const segment = segments[i]
    if (segment?.kind !== 'drawn' || segment.length > ALONE_BYTES) return run
    if (segment.offset < from || segment.offset + segment.length > to) return run
    bytes += segment.length
    if (bytes > TOGETHER_BYTES) return run
    run.push(segment)
  }
}

/** The bytes of consecutive segments with what lies between them. */
async function* withGaps(pieces: AsyncGenerator<Bytes>, run: readonly DrawnSegment[]): AsyncGenerator<Bytes> {
  const left = new Lefts(run)
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (left.ofSegment === 0) yield* left.next()
      const bytes = piece.subarray(at, at + left.ofSegment)
      left.ofSegment -= bytes.length
      at += bytes.length
      yield bytes
    }
  }
  left.end()
}

/** Counts what is left of segments that are written one after the other. */
class Lefts {
  ofSegment: number
  private readonly run: readonly DrawnSegment[]
  private i = 0

  constructor(run: readonly DrawnSegment[]) {
    this.run = run
    this.ofSegment = run[0]?.length ?? 0
  }

  /** Goes on to the next segment, and gives what lies before it. */
  *next(): Generator<Bytes> {
    const { offset = 0, length = 0 } = this.run[this.i] ?? {}
    const next = this.run[++this.i]
    if (next === undefined) throw tooMany()
    const gap = next.offset - offset - length
    if (gap > 0) yield new Uint8Array(gap)
    this.ofSegment = next.length
  }

  end(): void {
    if (this.ofSegment > 0 || this.i + 1 < this.run.length) throw tooFew()
  }
}

/** Part of a segment, by its own bytes. */
async function* partOf(segment: Segment, source: DrawSource, part: ByteRange): AsyncGenerator<Bytes> {
  switch (segment.kind) {
    case 'known':
      yield* knownBytes(segment.variable, part)
      return
    case 'drawn':
      yield* drawnBytes(segment.variable, source, part)
      return
    case 'references': {
      const { variable, plan, offset, length } = segment
      const address = offset + length + (-length & 7)
      yield* begun(references(variable, plan, source, { ...part, address }), part)
      return
    }
    case 'heaps':
      yield* begun(heaps(segment.variable, segment.plan, source, part), part)
  }
}

function begun({ skip, pieces }: Begun, { from, to }: ByteRange): AsyncGenerator<Bytes> {
  return trimmed(pieces, skip, to - from)
}

/** Bytes of what came with the metadata, or counts. */
function knownBytes(variable: Given | Counted, { from, to }: ByteRange): AsyncGenerator<Bytes> {
  const size = variable.dtype === 'str' ? 1 : ITEM_SIZE[variable.dtype]
  const first = Math.floor(from / size)
  return trimmed(numbersOf(variable, first, Math.ceil(to / size) - first), from - first * size, to - from)
}

async function* drawnBytes(variable: Drawn, source: DrawSource, { from, to }: ByteRange): AsyncGenerator<Bytes> {
  if (variable.dtype === 'str') return
  const [, draws = 0, ...shape] = variable.shape
  const row = sizeOf(shape) * ITEM_SIZE[variable.dtype]
  const ofChain = draws * row
  for (let at = from; at < to; ) {
    const chain = Math.floor(at / ofChain)
    const begin = chain * ofChain
    const end = Math.min(to, begin + ofChain)
    const first = Math.floor((at - begin) / row)
    const count = Math.ceil((end - begin) / row) - first
    yield* trimmed(source.numbers(variable, chain, first, count), at - begin - first * row, end - at)
    at = end
  }
}

/** `count` bytes behind the first `skip`. */
async function* trimmed(pieces: Pieces, skip: number, count: number): AsyncGenerator<Bytes> {
  let before = skip
  let left = count
  for await (const piece of pieces) {
    const bytes = piece.subarray(before, before + left)
    before = Math.max(0, before - piece.length)
    if (bytes.length === 0) continue
    left -= bytes.length
    yield bytes
    if (left === 0) return
  }
}

/** Breaks off rather than to shift all that follows. */
async function* exactly(pieces: AsyncGenerator<Bytes>, count: number): AsyncGenerator<Bytes> {
  let left = count
  for await (const piece of pieces) {
    left -= piece.length
    if (left < 0) throw tooMany()
    yield piece
  }
  if (left > 0) throw tooFew()
}

const tooMany = () => new RangeError('a variable has more bytes than its place')
const tooFew = () => new RangeError('a variable has fewer bytes than its place')

/** The same bytes with neighbouring small pieces in one. */
async function* joined(pieces: AsyncGenerator<Bytes>): AsyncGenerator<Bytes> {
  let small = new Uint8Array(PIECE_BYTES)
  let used = 0
  for await (const piece of pieces) {
    if (piece.length > SMALL_PIECE || used + piece.length > small.length) {
      if (used > 0) yield small.subarray(0, used)
      small = used > 0 ? new Uint8Array(PIECE_BYTES) : small
      used = 0
    }
    if (piece.length > SMALL_PIECE) yield piece
    else {
      small.set(piece, used)
      used += piece.length
    }
  }
  if (used > 0) yield small.subarray(0, used)
}
