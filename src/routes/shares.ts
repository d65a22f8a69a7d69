/** /v1/runs/{rid}/shares: read-only keys of one run, to send to somebody. */
import * as v from 'valibot'
import { expiry, readJson } from '../http/json-body.ts'
import { addKey, keyOf, managed, requireFuture, requireWithin, timeText } from '../http/management.ts'
import { describe, jsonBody, jsonResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { runNotFound } from '../http/run-of-request.ts'

const shareBody = v.strictObject({ expiresAt: v.optional(expiry, null) })

const shareRun: Operation = {
  needs: 'write',
  describe: describe('Keys', 'shareRun', 'Make a key that reads this run alone, and a link that carries it', {
    requestBody: jsonBody('ShareCreation'),
    responses: { 201: jsonResponse('The key, shown this once', 'ShareLink') },
    errors: ['quota_exceeded', 'run_not_found', 'tenant_not_found'],
  }),
  handler: async (c, services) => {
    const { key: maker, tenant } = keyOf(c)
    const management = managed(services.management)
    const { now, audit, publicUrl } = management
    const rid = ridParam(c)
    if ((await c.get('backend').getRun(rid)) === undefined) throw runNotFound(rid)
    const { expiresAt } = await readJson(c, services, shareBody)
    requireFuture(expiresAt, now())
    const wanted = {
      name: `share of ${rid}`.slice(0, 100),
      scopes: ['read'],
      run: rid,
      share: true,
      expiresAt,
    } as const
    requireWithin(maker, wanted)
    const { record, key } = await addKey(management, tenant, wanted)
    audit(c, 'share.create', tenant.name, { key: record.id, run: rid, expiresAt: timeText(expiresAt) })
    // Browsers send no fragment, so that the key meets no server, proxy or log on its way.
    const url = `${publicUrl ?? new URL(c.req.url).origin}/shared/${rid}#${key}`
    return c.json({ id: record.id, key, url, expiresAt: timeText(expiresAt) }, 201)
  },
}

export const shareRoutes: Resources = {
  '/v1/runs/:rid/shares': { post: shareRun },
}
