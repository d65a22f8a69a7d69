/** Headers of every answer, and those that pages of other origins may send and see. */
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from './context.ts'
import { NOTHING_POLICY } from './page-policy.ts'

/** Headers of every answer, beside its `X-Request-Id`. */
export const COMMON_HEADERS: readonly [string, string][] = [
  ['Cache-Control', 'private, no-cache'],
  ['Vary', 'Accept, Authorization'],
  ['Content-Security-Policy', NOTHING_POLICY],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Strict-Transport-Security', 'max-age=31536000'],
]

/** Sets headers before a handler, which may replace them. */
export const setHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  for (const [name, value] of COMMON_HEADERS) c.header(name, value)
  await next()
}

export const CORS_HEADERS = {
  allowMethods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'],
  allowHeaders: [
    'Accept',
    'Authorization',
    'Content-Encoding',
    'Content-Type',
    'If-Match',
    'If-None-Match',
    'If-Range',
    'Last-Event-ID',
    'Mcb-Registration',
    'Prefer',
    'Range',
    'X-Request-Id',
  ],
  exposeHeaders: [
    'Link',
    'Content-Disposition',
    'Content-Length',
    'Content-Range',
    'Content-Location',
    'Accept-Ranges',
    'ETag',
    'Location',
    'Mcb-Left-Out',
    'Mcb-Registration',
    'RateLimit',
    'RateLimit-Policy',
    'Retry-After',
    'WWW-Authenticate',
    'X-Request-Id',
  ],
  maxAge: 600,
}
