/** /healthz: tells that this server can do its work, or that it cannot, and its version. */
import { LOCAL_TENANT } from '../access/records.ts'
import { describe, jsonResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources } from '../http/operation.ts'

const getHealth: Operation = {
  needs: 'nothing',
  describe: describe('Health', 'health', 'Whether the storage can be reached', {
    responses: { 200: jsonResponse('It can', 'HealthStatus') },
  }),
  handler: async (c, { openBackend, version }) => {
    await openBackend(LOCAL_TENANT).store.ping()
    return c.json({ status: 'ok', version })
  },
}

export const healthRoutes: Resources = {
  '/healthz': { get: getHealth },
}
