/** Answers of text that is made twice rather than held: its ETag is a digest of it, and its length is known before it is sent. */

import type { AppContext } from './context.ts'
import { digestETag, matchesETag } from './negotiate.ts'
import { sendPieces } from './send.ts'

/** Bytes of text that are held between its digest and its sending; more of it is made anew. */
const HELD_BYTES = 1024 * 1024

type Bytes = Uint8Array<ArrayBuffer>

interface TextAnswer {
  readonly type: string
  /** Makes the text, in pieces of some KiB, always the same. */
  readonly text: () => Iterable<string>
  /** Milliseconds that a piece may wait to be taken. */
  readonly stallMs: number
}

/** Answers GET and HEAD, with 304 where the client has the text. */
export async function sendText(c: AppContext, { type, text, stallMs }: TextAnswer): Promise<Response> {
  const encoder = new TextEncoder()
  const digests: string[] = []
  let held: Bytes[] | undefined = []
  let length = 0
  for (const piece of text()) {
    const bytes = encoder.encode(piece)
    digests.push(await digestETag([piece]))
    length += bytes.length
    if (length > HELD_BYTES) held = undefined
    held?.push(bytes)
  }
  const etag = await digestETag(digests)
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = { ETag: etag, 'Content-Type': type, 'Content-Length': String(length) }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const [only, ...more] = held ?? []
  if (only !== undefined && more.length === 0) return c.body(only, 200, headers)
  return sendPieces(c, held === undefined ? encoded(text()) : given(held), headers, stallMs)
}

async function* encoded(text: Iterable<string>): AsyncGenerator<Bytes> {
  const encoder = new TextEncoder()
  for (const piece of text) yield encoder.encode(piece)
}

async function* given(pieces: readonly Bytes[]): AsyncGenerator<Bytes> {
  yield* pieces
}
