/** Answers to HEAD: they tell the length of the body that GET would have had. */
import type { MiddlewareHandler } from 'hono'

/** Announces the length of answers. Draws announce their own, and are not read for it; all other answers are small. */
export const announceLength: MiddlewareHandler = async (c, next) => {
  await next()
  if (c.req.method !== 'HEAD' || c.res.body === null) return
  const { status, headers } = c.res
  const { byteLength } = await c.res.arrayBuffer()
  c.res = new Response(null, { status, headers: [...headers, ['Content-Length', String(byteLength)]] })
}
