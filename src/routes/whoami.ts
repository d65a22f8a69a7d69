/** /v1/whoami: the sender of a request, as the server sees it. */
import { effectiveScopes, type KeyRecord, LOCAL_TENANT, NO_LIMITS, SCOPES } from '../access/records.ts'
import { describe, jsonResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources } from '../http/operation.ts'
import { bodyLimit, tenantLimits } from '../http/quota.ts'

const whoami: Operation = {
  needs: 'key',
  oneRun: 'handled',
  describe: describe('Keys', 'whoami', 'Tenant, key, limits and usage', {
    responses: {
      200: jsonResponse('Of the key that was sent; one for a run alone learns nothing of its tenant', 'CallerState'),
    },
  }),
  handler: async (c, { limits }) => {
    const caller = c.get('caller')
    if (caller.kind === 'key' && caller.key.run !== null) {
      return c.json({
        ...holder(caller),
        tenant: null,
        limits: { ...NO_LIMITS, bodyBytes: limits.bodyBytes },
        usage: null,
      })
    }
    const { runs, bytes } = await c.get('backend').store.usage()
    const who =
      caller.kind === 'key'
        ? { tenant: caller.tenant.name, ...holder(caller) }
        : { tenant: LOCAL_TENANT, key: null, scopes: SCOPES, run: null }
    return c.json({
      ...who,
      limits: { ...tenantLimits(c), bodyBytes: bodyLimit(c, limits.bodyBytes) },
      usage: { runs, storedBytes: bytes },
    })
  },
}

function holder({ key: { id, name, scopes, run } }: { readonly key: KeyRecord }) {
  return { key: { id, name }, scopes: effectiveScopes(scopes), run }
}

export const whoamiRoutes: Resources = {
  '/v1/whoami': { get: whoami },
}
