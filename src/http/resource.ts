/** How a resource is mounted with its methods. */
import type { Handler, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { McbError } from '../core/errors.ts'
import { described } from './openapi/describe.ts'
import type { AppEnv, Operation, Services } from './operation.ts'

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const
type Method = (typeof METHODS)[number]

/** Mounts a resource with its methods; any other method is 405 with `Allow`, before a key is looked at. */
export function resource(
  app: Hono<AppEnv>,
  path: string,
  authorize: Services['authorize'],
  operations: { readonly [M in Method]?: Operation },
): void {
  const allow: string[] = []
  for (const method of METHODS) {
    const operation = operations[method]
    if (operation === undefined) continue
    allow.push(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : []))
    const describe = describeRoute(described(operation))
    const { handler } = operation
    app.on(method.toUpperCase(), path, describe, authorize(operation), method === 'get' ? handler : releasing(handler))
  }
  app.all(path, () => {
    throw new McbError('method_not_allowed', `this resource knows ${allow.join(', ')}`, { allow })
  })
}

/** Gives back what a body takes of the budget when its request is answered, whatever the answer. */
function releasing(handler: Handler<AppEnv>): Handler<AppEnv> {
  return async (c, next) => {
    try {
      return await handler(c, next)
    } finally {
      c.get('hold')?.release()
    }
  }
}
