/** Bodies of requests: media type, encoding, size and budget, in the order of docs/protocol.md §2, before a byte is parsed. */

import { McbError } from '../core/errors.ts'
import { PROTOBUF, PROTOBUF_ALIAS } from '../core/media-types.ts'
import type { BodyBudget, BodyHold } from './body-budget.ts'
import { Collector, tooLarge } from './collector.ts'
import type { AppContext, Caller, ReadBody } from './context.ts'
import { gunzip } from './gunzip.ts'
import type { Services } from './operation.ts'

/** Services that reading a body needs. */
export type BodyServices = Pick<Services, 'readBody' | 'bodies' | 'bounds'>

/**
 * @throws McbError `unsupported_media_type`, `payload_too_large`, `overloaded`, `invalid_protobuf` (a corrupt gzip)
 */
export async function readProtobuf(
  c: AppContext,
  services: BodyServices,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== PROTOBUF && type !== PROTOBUF_ALIAS) {
    const sent = type === undefined ? 'no Content-Type' : `Content-Type "${type}"`
    throw new McbError('unsupported_media_type', `the body has ${sent}; send ${PROTOBUF}`)
  }
  const encoding = c.req.header('Content-Encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new McbError('unsupported_media_type', `Content-Encoding "${encoding}" is not known; send gzip or none`)
  }
  return readWhole(c, services, limit, encoding)
}

/**
 * Reads a body whose headers are in order. Its bytes count against the budget until the request is answered.
 *
 * @throws McbError `payload_too_large`, `overloaded`, `invalid_protobuf`
 */
export async function readWhole(
  c: AppContext,
  { readBody, bodies, bounds }: BodyServices,
  limit: number,
  encoding: 'identity' | 'gzip',
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(c.req.header('Content-Length') ?? 0)
  if (announced > limit) throw tooLarge(limit)
  const hold = openHold(c, bodies, announced)
  const sent = await readBody(c, { limit, hold, stallMs: bounds.stallMs })
  const bytes = encoding === 'gzip' ? await gunzip(sent, limit, hold) : sent
  hold.settle()
  return bytes
}

function openHold(c: AppContext, bodies: BodyBudget, announced: number): BodyHold {
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
