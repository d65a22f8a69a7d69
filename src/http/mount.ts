/** Mounting resources with their methods. */
import type { Handler, Hono, MiddlewareHandler } from 'hono'
import { McbError } from '../core/errors.ts'
import type { AppEnv } from './context.ts'
import type { RouteMeter } from './meter.ts'
import { METHODS, type Method, type Operation, type Resources, type Services } from './operation.ts'

/** Begin of paths that name a run, and of those where a share key stands for the run that it is for (docs/protocol.md §12). */
export const RUN_PATH = '/v1/runs/:rid'
export const SHARED_PATH = '/s/:shareKey'

/** Mounts resources with their methods; any other method is 405 with `Allow`, before a key is looked at. */
export function mount(app: Hono<AppEnv>, services: Services, resources: Resources): void {
  mountAll(app, services, resources)
  mountAll(app, services, sharedResources(resources))
}

/** The path at which a share key reads what is at `path`; undefined for a path that names no run. */
function sharedPath(path: string): string | undefined {
  return path.startsWith(RUN_PATH) ? SHARED_PATH + path.slice(RUN_PATH.length) : undefined
}

function sharedResources(resources: Resources): Resources {
  return Object.fromEntries(
    Object.entries(resources).flatMap(([path, { get }]) => {
      const shared = sharedPath(path)
      return shared === undefined || get === undefined ? [] : [[shared, { get }]]
    }),
  )
}

function mountAll(app: Hono<AppEnv>, services: Services, resources: Resources): void {
  for (const [path, operations] of Object.entries(resources)) {
    const route = services.meter?.route(path)
    const allow: string[] = []
    for (const method of METHODS) {
      const operation = operations[method]
      if (operation === undefined) continue
      allow.push(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : []))
      const handler = handlerOf(operation, method, services)
      const handle = method === 'get' ? handler : releasing(handler)
      app.on(method.toUpperCase(), path, known(route, services.authorize(operation)), handle)
    }
    app.all(path, (c) => {
      if (route !== undefined) c.set('route', route)
      throw new McbError('method_not_allowed', `this resource knows ${allow.join(', ')}`, { allow })
    })
  }
}

/** Lets the meter of a request know its route, before anything can refuse it. */
function known(route: RouteMeter | undefined, first: MiddlewareHandler<AppEnv>): MiddlewareHandler<AppEnv> {
  if (route === undefined) return first
  return (c, next) => {
    c.set('route', route)
    return first(c, next)
  }
}

function handlerOf(operation: Operation, method: Method, services: Services): Handler<AppEnv> {
  const { handler } = operation
  if (!addsData(operation, method)) return (c) => handler(c, services)
  return (c) => {
    services.requireSpace()
    return handler(c, services)
  }
}

/** True for an operation by which tenants' data grow. Management and deletions are a way out of a full disk. */
function addsData({ needs }: Operation, method: Method): boolean {
  return needs === 'write' && method !== 'get' && method !== 'delete'
}

/** Gives a body's share of the budget back when its request is answered, with any answer. */
function releasing(handler: Handler<AppEnv>): Handler<AppEnv> {
  return async (c, next) => {
    try {
      return await handler(c, next)
    } finally {
      c.get('hold')?.release()
    }
  }
}
