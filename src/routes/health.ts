/** /healthz: whether this server can do its work, and its version. */
import type { Hono } from 'hono'
import { describe, errors } from '../http/openapi/describe.ts'
import type { AppEnv, Services } from '../http/operation.ts'
import { resource } from '../http/resource.ts'

export interface Health {
  readonly version: string
  /** Rejects when the storage cannot be reached. */
  readonly ping: () => Promise<void>
}

export function healthRoutes(app: Hono<AppEnv>, { authorize }: Services, { version, ping }: Health): void {
  resource(app, '/healthz', authorize, {
    get: {
      needs: 'nothing',
      describe: describe('Health', 'health', 'Whether the storage can be reached', {
        responses: { 200: { description: 'It can' }, ...errors() },
      }),
      handler: async (c) => {
        await ping()
        return c.json({ status: 'ok', version })
      },
    },
  })
}
