/** The HTTP application, on no platform in particular: middlewares, resources, errors. */
import { Hono, type MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { requestId } from 'hono/request-id'
import type { StoreBackend } from './backends/stored.ts'
import { DEFAULT_LIMITS, type Limits } from './core/limits.ts'
import { readStandardBody } from './routes/body.ts'
import { chainRoutes } from './routes/chains.ts'
import { compressed } from './routes/compression.ts'
import type { AppEnv, ReadBody } from './routes/context.ts'
import { docsRoutes } from './routes/docs.ts'
import { drawRoutes } from './routes/draws.ts'
import { eventRoutes } from './routes/events.ts'
import { announceLength } from './routes/head.ts'
import { healthRoutes } from './routes/health.ts'
import { COMMON_HEADERS, handleErrors, handleNotFound } from './routes/problem.ts'
import { runRoutes } from './routes/runs.ts'

/** The tenant of every request while keys are switched off. */
export const LOCAL_TENANT = 'local'
export const VERSION = '0.1.0'

export interface AppOptions {
  /** Opens the backend of a tenant. Called for every request: keep what it opens. */
  readonly openBackend: (tenant: string) => StoreBackend
  readonly limits?: Limits
  /** A platform's shorter way to the bytes of a body. */
  readonly readBody?: ReadBody
  /** Sees every request and its answer, for a log. */
  readonly observe?: MiddlewareHandler<AppEnv>
  /** Learns of defects and of storage that fails; the client is told only their code. */
  readonly report?: (requestId: string, error: unknown) => void
}

export function createApp({
  openBackend,
  limits = DEFAULT_LIMITS,
  readBody = readStandardBody,
  observe,
  report = (id, error) => console.error(id, error),
}: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const authenticate = createMiddleware<AppEnv>(async (c, next) => {
    c.set('tenant', LOCAL_TENANT)
    c.set('backend', openBackend(LOCAL_TENANT))
    await next()
  })
  const services = { limits, readBody, authenticate }

  app.use(requestId())
  if (observe !== undefined) app.use(observe)
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(COMMON_HEADERS)) c.header(name, value)
    await next()
  })
  app.use(announceLength)
  for (const path of ['/v1/runs', '/v1/runs/:rid', '/v1/runs/:rid/chains', '/openapi.json']) app.use(path, compressed())
  app.onError(handleErrors(report))
  app.notFound(handleNotFound)

  healthRoutes(app, () => openBackend(LOCAL_TENANT).store.ping())
  runRoutes(app, services)
  chainRoutes(app, services)
  drawRoutes(app, services)
  eventRoutes(app, services)
  docsRoutes(app, VERSION)
  return app
}
