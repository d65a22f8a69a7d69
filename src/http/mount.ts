/** Mounting resources with their methods. */
import type { Handler, Hono } from 'hono'
import { McbError } from '../core/errors.ts'
import type { AppEnv } from './context.ts'
import { METHODS, type Operation, type Resources, type Services } from './operation.ts'

/** Mounts resources with their methods; any other method is 405 with `Allow`, before a key is looked at. */
export function mount(app: Hono<AppEnv>, services: Services, resources: Resources): void {
  for (const [path, operations] of Object.entries(resources)) {
    const allow: string[] = []
    for (const method of METHODS) {
      const operation = operations[method]
      if (operation === undefined) continue
      allow.push(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : []))
      const handle = method === 'get' ? handlerOf(operation, services) : releasing(handlerOf(operation, services))
      app.on(method.toUpperCase(), path, services.authorize(operation), handle)
    }
    app.all(path, () => {
      throw new McbError('method_not_allowed', `this resource knows ${allow.join(', ')}`, { allow })
    })
  }
}

function handlerOf({ handler }: Operation, services: Services): Handler<AppEnv> {
  return (c) => handler(c, services)
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
