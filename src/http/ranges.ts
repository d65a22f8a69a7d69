/** Ranges of bytes that a request asks for, and the conditions on them (RFC 9110, 13.1 and 14). */

import { McbError } from '../core/errors.ts'
import type { AppContext } from './context.ts'

/** Bytes from the first to the one behind the last. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i

/**
 * The bytes of `size` that a `Range` names; undefined where the whole is answered: without one, for several, and for what is none.
 *
 * @throws McbError `range_not_satisfiable`
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = ONE_RANGE.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const to = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
  if (from < size) return { from, to }
  throw new McbError('range_not_satisfiable', `the answer has ${size} bytes`, { length: size })
}

/** True when `If-Match` is there and names the ETag, or anything that exists. @throws McbError `chains_changed` when it does not */
export function requireMatch(c: AppContext, etag: string): boolean {
  const header = c.req.header('If-Match')
  if (header === undefined) return false
  if (header.trim() === '*' || header.split(',').some((item) => item.trim() === etag)) return true
  throw new McbError('chains_changed', `the run is not what ${header.slice(0, 100)} names; its present ETag is ${etag}`)
}

/**
 * The header `Range` of a request, where its conditions let it count.
 *
 * @param isLasting true for an answer that stays as it is, of which a range needs no condition
 */
export function rangeHeader(c: AppContext, etag: string, isLasting: boolean): string | undefined {
  const condition = c.req.header('If-Range')
  const isMeant = condition === undefined ? isLasting : condition.trim() === etag
  return isMeant && c.req.method === 'GET' ? c.req.header('Range') : undefined
}
