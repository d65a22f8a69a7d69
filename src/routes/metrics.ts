/** /metrics: figures of this server, where its platform makes some. */
import { McbError } from '../core/errors.ts'
import { describe, metricsResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources } from '../http/operation.ts'

const getMetrics: Operation = {
  needs: 'operator or this machine',
  describe: describe('Health', 'metrics', 'Figures of the server for Prometheus', {
    description: 'On Node; where nothing is measured, as on Workers, there is no such path (404).',
    responses: { 200: metricsResponse },
    errors: ['not_found'],
  }),
  handler: async (c, { meter }) => {
    if (meter === undefined) throw new McbError('not_found', 'this server makes no figures of itself')
    const { type, text } = await meter.exposition()
    return c.body(text, 200, { 'Content-Type': type })
  },
}

export const metricsRoutes: Resources = {
  '/metrics': { get: getMetrics },
}
