/** Bodies of requests: media type, encoding, size and budget, in the order of docs/protocol.md §2, before a byte is parsed. */

import { isMcbError, McbError } from '../core/errors.ts'
import { JSON_TYPE, PROTOBUF, PROTOBUF_ALIAS } from '../core/media-types.ts'
import { decodeJson } from '../core/wire/json-reader.ts'
import type { BodyBudget, BodyHold } from './body-budget.ts'
import { Collector, tooLarge } from './collector.ts'
import type { AppContext, Caller, ReadBody } from './context.ts'
import { gunzip } from './gunzip.ts'
import type { Services } from './operation.ts'

/** Services that reading a body needs. */
export type BodyServices = Pick<Services, 'readBody' | 'bodies' | 'bounds'>

/** A body in one of the two forms of a message. */
export type MessageBody = ProtobufBody | JsonBody

export interface ProtobufBody {
  readonly type: 'protobuf'
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** A body of JSON whose memory is counted further on, while it becomes a message. */
export interface JsonBody {
  readonly type: 'json'
  readonly text: string
  readonly hold: BodyHold
}

/**
 * Reads a body that is protobuf or JSON, by its media type. JSON is no longer in bytes then, but in a text, which is not judged
 * yet; a caller settles its hold when it has become a message.
 *
 * @param limit bytes of protobuf; JSON has a limit of its own besides
 * @throws McbError `unsupported_media_type`, `payload_too_large`, `overloaded`, `invalid_protobuf` or `invalid_json` (a corrupt
 *   gzip, a body that ends too early, JSON that is not UTF-8)
 */
export async function readMessage(
  c: AppContext,
  services: BodyServices & Pick<Services, 'limits'>,
  limit: number,
): Promise<MessageBody> {
  const type = mediaType(c, [PROTOBUF, JSON_TYPE], [PROTOBUF_ALIAS])
  const encoding = encodingOf(c)
  if (type !== JSON_TYPE) return { type: 'protobuf', bytes: await readWhole(c, services, limit, encoding) }
  return readText(c, services, Math.min(limit, services.limits.jsonBytes), encoding)
}

/**
 * Reads a body that is JSON, by whatever name, as a text that is not judged yet; a caller settles its hold.
 *
 * @param types media types of it
 * @throws McbError `unsupported_media_type`, `payload_too_large`, `overloaded`, `invalid_json`
 */
export function readJsonText(
  c: AppContext,
  services: BodyServices & Pick<Services, 'limits'>,
  types: readonly string[],
  limit: number,
): Promise<JsonBody> {
  mediaType(c, types)
  return readText(c, services, Math.min(limit, services.limits.jsonBytes), encodingOf(c))
}

/** @throws McbError `unsupported_media_type`, whose sentence names `types`, and not `others` */
function mediaType(c: AppContext, types: readonly string[], others: readonly string[] = []): string {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== undefined && [...types, ...others].includes(type)) return type
  const sent = type === undefined ? 'no Content-Type' : `Content-Type "${type}"`
  throw new McbError('unsupported_media_type', `the body has ${sent}; send ${types.join(' or ')}`)
}

/** @throws McbError `unsupported_media_type` */
export function encodingOf(c: AppContext): Encoding {
  const encoding = c.req.header('Content-Encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === 'gzip') return encoding
  throw new McbError('unsupported_media_type', `Content-Encoding "${encoding}" is not known; send gzip or none`)
}

/**
 * Reads a body whose headers are in order. Its bytes count against the budget until the request is answered.
 *
 * @throws McbError `payload_too_large`, `overloaded`, `invalid_protobuf`
 */
export async function readWhole(
  c: AppContext,
  services: BodyServices,
  limit: number,
  encoding: Encoding,
): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, hold } = await receive(c, services, limit, encoding)
  hold.settle()
  return bytes
}

/** Reads a body of whatever type. @throws McbError `unsupported_media_type` for an encoding that is not known, and as `readWhole` */
export function readBytes(c: AppContext, services: BodyServices, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  return readWhole(c, services, limit, encodingOf(c))
}

export type Encoding = 'identity' | 'gzip'

/** Reads a body that may still be cut when others need its room. */
async function receive(
  c: AppContext,
  { readBody, bodies, bounds }: BodyServices,
  limit: number,
  encoding: Encoding,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly hold: BodyHold }> {
  const announced = Number(c.req.header('Content-Length') ?? 0)
  if (announced > limit) throw tooLarge(limit)
  const hold = openHold(c, bodies, announced)
  const sent = await readBody(c, { limit, hold, stallMs: bounds.stallMs })
  return { bytes: encoding === 'gzip' ? await gunzip(sent, limit, hold) : sent, hold }
}

/** Bytes that a character takes at most. */
export const CHARACTER_BYTES = 2

async function readText(c: AppContext, services: BodyServices, limit: number, encoding: Encoding): Promise<JsonBody> {
  try {
    const { bytes, hold } = await receive(c, services, limit, encoding)
    hold.take(bytes.length * (1 + CHARACTER_BYTES))
    const text = decodeJson(bytes)
    bytes.buffer.transfer(0)
    hold.take(text.length * CHARACTER_BYTES)
    return { type: 'json', text, hold }
  } catch (error) {
    if (!isMcbError(error, 'invalid_protobuf')) throw error
    throw new McbError('invalid_json', error.message, {}, { cause: error })
  }
}

/** The share of a request's body in the budget, which is given back when the request is answered. @throws McbError `overloaded` */
export function openHold(c: AppContext, bodies: BodyBudget, announced: number): BodyHold {
  const caller: Caller | undefined = c.get('caller')
  const hold = bodies.open(caller?.kind === 'key' ? caller.tenant.storage : undefined, announced)
  c.set('hold', hold)
  return hold
}

/** Reads a body through the standard request; a platform may have a shorter way. */
export const readStandardBody: ReadBody = async (c, { limit, hold }) => {
  const stream = c.req.raw.body
  if (stream === null) return new Uint8Array()
  const collector = new Collector(Number(c.req.header('Content-Length') ?? 0), limit, hold)
  try {
    for await (const chunk of stream) collector.add(chunk)
  } catch (error) {
    collector.drop()
    if (error instanceof McbError) throw error
    throw new McbError('invalid_protobuf', 'the body ended before it was complete', {}, { cause: error })
  }
  return collector.finish()
}
