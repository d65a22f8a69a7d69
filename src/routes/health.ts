/** /healthz: whether this server can do its work. */
import type { Hono } from 'hono'
import { type AppEnv, resource } from './context.ts'
import { describe, errors } from './openapi.ts'

export function healthRoutes(app: Hono<AppEnv>, ping: () => Promise<void>): void {
  resource(app, '/healthz', [], {
    get: {
      describe: describe('Health', 'health', 'Whether the storage can be reached', {
        responses: { 200: { description: 'It can' }, ...errors() },
      }),
      handler: async (c) => {
        await ping()
        return c.json({ status: 'ok' })
      },
    },
  })
}
