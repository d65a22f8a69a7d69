/** The way from / to the page for browsers; for others there is nothing. */
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from './context.ts'
import { prefersPage } from './negotiate.ts'
import { PAGE_PLACE } from './page-headers.ts'

export const leadBrowsers: MiddlewareHandler<AppEnv> = async (c, next) => {
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  if (isRead && prefersPage(c.req.header('Accept'))) return c.redirect(PAGE_PLACE, 302)
  await next()
}
