/** /healthz: whether this server can do its work. */
import type { Hono } from 'hono'
import { describe, errors } from '../http/openapi/describe.ts'
import type { AppEnv, Services } from '../http/operation.ts'
import { resource } from '../http/resource.ts'

export function healthRoutes(app: Hono<AppEnv>, { authorize }: Services, ping: () => Promise<void>): void {
  resource(app, '/healthz', authorize, {
    get: {
      needs: 'nothing',
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
