/** Answers whose pieces are made while they are read. */

import type { AppContext } from './context.ts'
import { streamOf } from './stream.ts'

/** Pieces that are made before an answer starts. */
const FIRST_PIECES = 3

/** Starts an answer only when its first pieces are here: a failure before that is an error, a later one aborts the answer. */
export async function sendPieces(
  c: AppContext,
  body: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  headers: Readonly<Record<string, string>>,
  stallMs: number,
  status: 200 | 206 = 200,
): Promise<Response> {
  const begun: Uint8Array<ArrayBuffer>[] = []
  while (begun.length < FIRST_PIECES) {
    const { done, value } = await body.next()
    if (done) break
    begun.push(value)
  }
  // A generator that is ended before its first step does not end the one inside it: this does.
  const ended = () => body.return(undefined)
  return c.body(streamOf(behind(begun, body), { place: c.get('place'), stallMs, ended }), status, headers)
}

async function* behind(
  begun: Uint8Array<ArrayBuffer>[],
  rest: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let piece = begun.shift(); piece !== undefined; piece = begun.shift()) yield piece
  yield* rest
}
