/** Measures every request. Its route is told by the middleware in front of the handler. */
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from './context.ts'
import { type Meter, NO_ROUTE, type RouteMeter } from './meter.ts'

export function metered(meter: Meter): MiddlewareHandler<AppEnv> {
  const none = meter.route(NO_ROUTE)
  return async (c, next) => {
    const begun = performance.now()
    await next()
    const route: RouteMeter = c.get('route') ?? none
    route.answered(c.req.method, c.res.status, (performance.now() - begun) / 1000)
  }
}
