/** Protobuf bodies: media type, content encoding and size, in the contract's order, before a byte is parsed. */
import { McbError } from '../core/errors.ts'
import type { AppContext, ReadBody } from './context.ts'
import { PROTOBUF, PROTOBUF_ALIAS } from './negotiate.ts'

/** @throws McbError `unsupported_media_type`, `payload_too_large`, `invalid_protobuf` (a corrupt gzip) */
export async function readProtobuf(c: AppContext, readBody: ReadBody, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== PROTOBUF && type !== PROTOBUF_ALIAS) {
    const sent = type === undefined ? 'no Content-Type' : `Content-Type "${type}"`
    throw new McbError('unsupported_media_type', `the body has ${sent}; send ${PROTOBUF}`)
  }
  const encoding = c.req.header('Content-Encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new McbError('unsupported_media_type', `Content-Encoding "${encoding}" is not known; send gzip or none`)
  }
  const bytes = await readBody(c, limit)
  return encoding === 'gzip' ? gunzip(bytes, limit) : bytes
}

export function tooLarge(limit: number): McbError {
  return new McbError('payload_too_large', `the body exceeds ${limit} bytes`, { limit })
}

/** Reads a body through the standard request; a platform may have a shorter way. */
export const readStandardBody: ReadBody = async (c, limit) => {
  const announced = Number(c.req.header('Content-Length') ?? 0)
  if (announced > limit) throw tooLarge(limit)
  const stream = c.req.raw.body
  if (stream === null) return new Uint8Array()
  const collector = new Collector(announced, limit)
  for await (const chunk of stream) collector.add(chunk)
  return collector.finish()
}

/** What is set aside for an announced length before its bytes have come. */
const FIRST_BYTES = 1024 * 1024

/** Gathers the pieces of a body in one buffer: one copy, and no memory for bytes that are only announced. */
export class Collector {
  private buffer: Uint8Array<ArrayBuffer>
  private length = 0
  private readonly announced: number
  private readonly limit: number

  constructor(announced: number, limit: number) {
    this.announced = announced
    this.limit = limit
    this.buffer = new Uint8Array(Math.min(announced, FIRST_BYTES))
  }

  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length
    if (length > this.limit) throw tooLarge(this.limit)
    if (length > this.buffer.length) this.grow(length)
    this.buffer.set(chunk, this.length)
    this.length = length
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.length === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.length)
  }

  private grow(length: number): void {
    const size =
      length <= this.announced ? this.announced : Math.min(this.limit, Math.max(length, this.buffer.length * 2))
    // Frees the smaller buffer at once; what waits for a collection adds up under load.
    this.buffer = new Uint8Array(this.buffer.buffer.transfer(size))
  }
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const collector = new Collector(0, limit)
  try {
    for await (const chunk of new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')))
      collector.add(chunk)
  } catch (error) {
    if (error instanceof McbError) throw error
    throw new McbError('invalid_protobuf', 'the body is not valid gzip')
  }
  return collector.finish()
}
