/** Compression of JSON answers for those who ask for it. */
import type { MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'

/**
 * Compression as Hono's, but only an answer that is compressed varies with `Accept-Encoding`: one that is not may be
 * given to anybody, and carries the headers that every answer carries.
 */
export function compressed(): MiddlewareHandler {
  const compressing = compress()
  return async (c, next) => {
    await compressing(c, next)
    if (c.res.headers.has('Content-Encoding')) return
    const varies = (c.res.headers.get('Vary') ?? '').split(/\s*,\s*/)
    c.header('Vary', varies.filter((name) => name.toLowerCase() !== 'accept-encoding').join(', '))
  }
}
