/** Content negotiation: the media type of an answer that the request's `Accept` asks for (RFC 9110, 12.5.1). */

import { McbError } from '../core/errors.ts'
import { JSON_TYPE, PROTOBUF, PROTOBUF_ALIAS } from '../core/media-types.ts'
import type { AppContext } from './context.ts'

/** Media types of draws, in the order of preference for a request that has none. */
const OFFERED = [PROTOBUF, PROTOBUF_ALIAS, JSON_TYPE] as const
export type AnswerType = (typeof OFFERED)[number]

/** An item of a header such as `Accept`, in lower case, and how much it is wished for, from 0 to 1. */
interface Weighted {
  readonly name: string
  readonly q: number
}

/** The items of a header such as `Accept` with their weights (RFC 9110, 12.4.2). */
export function parseWeights(header: string): Weighted[] {
  return header.split(',').flatMap((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
    if (name === '') return []
    const weight = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2)
    const q = weight === undefined ? 1 : Number(weight)
    return [{ name: name.toLowerCase(), q: Number.isFinite(q) ? Math.min(1, Math.max(0, q)) : 0 }]
  })
}

/** 2 where the type is named, 1 for its family, 0 for anything, -1 where the range does not cover it. */
function specificity(range: string, type: string): number {
  if (range === type) return 2
  if (range === '*/*') return 0
  return range === `${type.slice(0, type.indexOf('/'))}/*` ? 1 : -1
}

/** The most specific range that covers a type decides its q. */
function weigh(ranges: readonly Weighted[], type: string): { q: number; rank: number } {
  let best = { q: 0, rank: -1 }
  for (const range of ranges) {
    const rank = specificity(range.name, type)
    if (rank > best.rank) best = { q: range.q, rank }
  }
  return best
}

/** @throws McbError `not_acceptable` */
export function negotiate(accept: string | undefined): AnswerType {
  return negotiateAmong(OFFERED, accept)
}

/**
 * The media type of an answer that has several, the first of them for a request without a wish.
 *
 * @throws McbError `not_acceptable`
 */
export function negotiateAmong<T extends string>(offered: readonly [T, ...T[]], accept: string | undefined): T {
  if (accept === undefined || accept.trim() === '') return offered[0]
  const ranges = parseWeights(accept)
  let chosen: { type: T; q: number; rank: number } | undefined
  for (const type of offered) {
    const { q, rank } = weigh(ranges, type)
    if (q === 0) continue
    if (chosen === undefined || q > chosen.q || (q === chosen.q && rank > chosen.rank)) chosen = { type, q, rank }
  }
  if (chosen !== undefined) return chosen.type
  throw new McbError('not_acceptable', `"${accept}" cannot be met; this answers ${offered.join(', ')}`)
}

/** True for a request that would rather have a page than JSON: that of a browser, which names the type. */
export function prefersPage(accept: string | undefined): boolean {
  const ranges = parseWeights(accept ?? '')
  const page = weigh(ranges, 'text/html')
  const json = weigh(ranges, JSON_TYPE)
  return page.q > json.q || (page.q > 0 && page.q === json.q && page.rank > json.rank)
}

/** True when the request's `If-None-Match` covers this ETag. */
export function matchesETag(c: AppContext, etag: string): boolean {
  const header = c.req.header('If-None-Match')
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.split(',').some((item) => item.trim().replace(/^W\//, '') === etag)
}

/** ETag of an answer, made of all that determines it, so that an unchanged one is known without reading a draw. */
export async function digestETag(parts: readonly unknown[]): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(parts.join('|'))))
  return `"${Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}"`
}
