/**
 * Decodes gzip as RFC 1952 has it: one member behind the other, and nothing else. The standard DecompressionStream refuses
 * a second member; node:zlib is there on Node and, with nodejs_compat, on Workers.
 */
import { createGunzip } from 'node:zlib'
import { McbError } from '../core/errors.ts'
import { free } from '../core/free.ts'
import type { BodyHold } from './body-budget.ts'
import { Collector } from './collector.ts'
import type { BodyStream } from './context.ts'

/** Bytes of one piece of output. */
const PIECE_BYTES = 64 * 1024

/**
 * Gives back the decoded bytes; those that were sent are counted beside them until then.
 *
 * @throws McbError `invalid_protobuf`, `payload_too_large`, `overloaded`
 */
export async function gunzip(
  sent: Uint8Array<ArrayBuffer>,
  limit: number,
  hold: BodyHold,
): Promise<Uint8Array<ArrayBuffer>> {
  const collector = new Collector(0, limit, hold)
  const stream = createGunzip({ chunkSize: PIECE_BYTES })
  hold.onCut = (reason) => stream.destroy(reason)
  try {
    stream.end(sent)
    for await (const piece of stream) {
      collector.add(piece)
      free(piece)
    }
    if (stream.bytesWritten !== sent.length) throw behindLast()
  } catch (error) {
    collector.drop()
    if (error instanceof McbError) throw error
    throw new McbError('invalid_protobuf', 'the body is not valid gzip', {}, { cause: error })
  } finally {
    hold.onCut = undefined
    stream.destroy()
  }
  const bytes = collector.finish()
  sent.buffer.transfer(0)
  hold.take(bytes.length)
  return bytes
}

/** The decoded bytes of a stream, which is asked for no more than decoding needs. */
export function gunzipped(sent: BodyStream): BodyStream {
  const stream = createGunzip({ chunkSize: PIECE_BYTES })
  const pieces = stream.iterator()
  let taken = 0
  let fault: unknown
  // Node calls a write that fails, or that has more than it can use, never back: nobody waits for this then.
  const pump = async () => {
    for (let piece = await sent.next(); piece !== undefined; piece = await sent.next()) {
      if (stream.readableEnded) throw behindLast()
      taken += piece.length
      await new Promise<void>((resolve, reject) => {
        stream.write(piece, (error) => (error ? reject(error) : resolve()))
      })
    }
    stream.end()
  }
  let pumped: Promise<void> | undefined
  const next = async () => {
    const { done, value } = await pieces.next()
    if (done !== true) return new Uint8Array(value)
    if (stream.bytesWritten !== taken) throw behindLast()
    await pumped
    return undefined
  }
  return {
    async next() {
      pumped ??= pump().catch((error: unknown) => {
        fault = error
        stream.destroy()
      })
      try {
        const piece = await next()
        if (fault !== undefined) throw fault
        return piece
      } catch (error) {
        if (fault instanceof McbError) throw fault
        throw new McbError('invalid_parameter', 'the body is not valid gzip', {}, { cause: error })
      }
    },
    leave() {
      stream.destroy()
      sent.leave()
    },
  }
}

/** It stops at a zero byte behind a member, and says nothing of it. */
function behindLast(): Error {
  return new Error('there is more behind the last member')
}
