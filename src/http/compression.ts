/** Compression of JSON answers for those who ask for it. */
import type { MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'

/** Comparing ETags: `weak` ones name what an answer means, a `strong` one must also serve as a condition of a change. */
type Comparison = 'weak' | 'strong'

/**
 * Compression as Hono's, but only an answer that is compressed varies with `Accept-Encoding`: one that is not may be
 * given to anybody, and carries the headers that every answer carries.
 *
 * @param least bytes of an answer of known length that is compressed
 */
export function compressed(etag: Comparison = 'weak', least = 1024): MiddlewareHandler {
  const compressing = compress({ threshold: least })
  return async (c, next) => {
    await compressing(c, next)
    const given = c.res.headers.get('ETag')
    if (etag === 'strong' && given !== null) c.header('ETag', given.replace(/^W\//, ''))
    if (c.res.headers.has('Content-Encoding')) return
    const varies = (c.res.headers.get('Vary') ?? '').split(/\s*,\s*/)
    c.header('Vary', varies.filter((name) => name.toLowerCase() !== 'accept-encoding').join(', '))
  }
}
