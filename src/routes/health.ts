/** /healthz: tells that this server reaches its storage, or that it does not, and its version; /readyz: that it takes writes. */
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

const getReadiness: Operation = {
  needs: 'nothing',
  describe: describe('Health', 'readiness', 'Whether work may be sent here', {
    description:
      '503 while the server starts, cannot reach its storage, or has too little space on its disk for writes.',
    responses: { 200: jsonResponse('It may', 'Readiness') },
  }),
  handler: async (c, { openBackend, requireSpace }) => {
    requireSpace()
    await openBackend(LOCAL_TENANT).store.ping()
    return c.json({ status: 'ready' })
  },
}

export const healthRoutes: Resources = {
  '/healthz': { get: getHealth },
  '/readyz': { get: getReadiness },
}
