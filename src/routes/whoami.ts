/** /v1/whoami: what the server takes the sender of a request for. */
import type { Hono } from 'hono'
import { effectiveScopes, LOCAL_TENANT, SCOPES } from '../core/tenants.ts'
import { type AppEnv, resource, type Services } from './context.ts'
import { describe, errors, jsonAnswer } from './openapi.ts'
import { bodyLimit, limitsOf } from './quota.ts'

export function whoamiRoutes(app: Hono<AppEnv>, { authorize, limits }: Services): void {
  resource(app, '/v1/whoami', authorize, {
    get: {
      needs: 'key',
      oneRun: 'handled',
      describe: describe('Keys', 'whoami', 'Tenant, key, limits and usage', {
        responses: { 200: jsonAnswer('Of the key that was sent', 'Whoami'), ...errors() },
      }),
      handler: async (c) => {
        const caller = c.get('caller')
        const { runs, bytes } = await c.get('backend').store.usage()
        const who =
          caller.kind === 'key'
            ? {
                tenant: caller.tenant.name,
                key: { id: caller.key.id, name: caller.key.name },
                scopes: effectiveScopes(caller.key.scopes),
                run: caller.key.run,
              }
            : { tenant: LOCAL_TENANT, key: null, scopes: SCOPES, run: null }
        return c.json({
          ...who,
          limits: { ...limitsOf(c), bodyBytes: bodyLimit(c, limits.bodyBytes) },
          usage: { runs, storedBytes: bytes },
        })
      },
    },
  })
}
