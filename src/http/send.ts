/** Answers whose pieces are made while they are read. */

import { concatBytes } from '../core/wire/protobuf.ts'
import type { AppContext } from './context.ts'
import { streamOf } from './stream.ts'

/** Pieces that are made before an answer starts. */
const FIRST_PIECES = 3
/** Bytes of a piece that goes together with its neighbours: each that is sent costs as much as the copy of some KiB. */
const SMALL_BYTES = 4 * 1024
const TOGETHER_BYTES = 32 * 1024

/** Starts an answer only when its first pieces are here: a failure before that is an error, a later one aborts the answer. */
export async function sendPieces(
  c: AppContext,
  source: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  headers: Readonly<Record<string, string>>,
  stallMs: number,
  status: 200 | 206 = 200,
): Promise<Response> {
  const body = gathered(source)
  const begun: Uint8Array<ArrayBuffer>[] = []
  while (begun.length < FIRST_PIECES) {
    const { done, value } = await body.next()
    if (done) break
    begun.push(value)
  }
  // A generator that is ended before its first step does not end the one inside it: this does.
  const ended = () => source.return(undefined)
  return c.body(streamOf(behind(begun, body), { place: c.get('place'), stallMs, ended }), status, headers)
}

async function* gathered(pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let small: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  for await (const piece of pieces) {
    const isSmall = piece.length < SMALL_BYTES
    if (isSmall) {
      small.push(piece)
      bytes += piece.length
      if (bytes < TOGETHER_BYTES) continue
    }
    if (bytes > 0) yield concatBytes(small)
    small = []
    bytes = 0
    if (!isSmall) yield piece
  }
  if (bytes > 0) yield concatBytes(small)
}

async function* behind(
  begun: Uint8Array<ArrayBuffer>[],
  rest: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let piece = begun.shift(); piece !== undefined; piece = begun.shift()) yield piece
  yield* rest
}
