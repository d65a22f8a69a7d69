/** What every handler of this folder gets, and how resources are mounted. */
import type { Context, Handler, Hono, MiddlewareHandler } from 'hono'
import type { DescribeRouteOptions } from 'hono-openapi'
import { describeRoute } from 'hono-openapi'
import type { StoreBackend } from '../backends/stored.ts'
import { McbError } from '../core/errors.ts'
import type { Limits } from '../core/limits.ts'

export interface AppEnv {
  Variables: {
    requestId: string
    tenant: string
    /** The backend of the request's tenant; it can reach nothing else. */
    backend: StoreBackend
  }
}

export type AppContext = Context<AppEnv>

/** Reads a request's body, whatever the platform; rejects with `payload_too_large` beyond `limit` bytes. */
export type ReadBody = (c: AppContext, limit: number) => Promise<Uint8Array<ArrayBuffer>>

/** What the routes share. */
export interface Services {
  readonly limits: Limits
  readonly readBody: ReadBody
  /** Gives a request its tenant and that tenant's backend: the one place where that happens. */
  readonly authenticate: MiddlewareHandler<AppEnv>
}

type Method = 'get' | 'put' | 'post' | 'delete'

export interface Operation {
  readonly describe: DescribeRouteOptions
  readonly handler: Handler<AppEnv>
}

/** Mounts a resource with its methods; any other method is 405 with `Allow`, before a key is looked at. */
export function resource(
  app: Hono<AppEnv>,
  path: string,
  middleware: readonly MiddlewareHandler<AppEnv>[],
  operations: { readonly [M in Method]?: Operation },
): void {
  const allow: string[] = []
  for (const method of ['get', 'put', 'post', 'delete'] as const) {
    const operation = operations[method]
    if (operation === undefined) continue
    allow.push(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : []))
    app.on(method.toUpperCase(), path, describeRoute(operation.describe), ...middleware, operation.handler)
  }
  app.all(path, () => {
    throw new McbError('method_not_allowed', `this resource knows ${allow.join(', ')}`, { allow })
  })
}
