/** /v1/runs/{rid}/shares: read-only keys of one run, to send to somebody. */
import type { Hono } from 'hono'
import * as v from 'valibot'
import { readJson, time } from '../http/json-body.ts'
import { addKey, keyOf, type Management, managed, requireFuture, requireWithin, timeText } from '../http/management.ts'
import { describe, errors, jsonAnswer, jsonBody } from '../http/openapi/describe.ts'
import type { AppEnv, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { resource } from '../http/resource.ts'
import { runNotFound } from '../http/run-of-request.ts'

const shareBody = v.strictObject({ expiresAt: v.optional(time, null) })

export function shareRoutes(app: Hono<AppEnv>, services: Services, management: Management | undefined): void {
  const { authorize } = services
  resource(app, '/v1/runs/:rid/shares', authorize, {
    post: {
      needs: 'write',
      describe: describe('Keys', 'shareRun', 'Make a key that reads this run alone, and a link that carries it', {
        requestBody: jsonBody('NewShare'),
        responses: { 201: jsonAnswer('The key, shown this once', 'Share'), ...errors(400, 404, 413, 415) },
      }),
      handler: async (c) => {
        const { key: maker, tenant } = keyOf(c)
        const { now, audit, publicUrl } = managed(management)
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
        const { record, key } = await addKey(managed(management), tenant, wanted)
        audit(c, 'share.create', tenant.name, { key: record.id, run: rid, expiresAt: timeText(expiresAt) })
        // Browsers send no fragment, so that the key meets no server, proxy or log on its way.
        const url = `${publicUrl ?? new URL(c.req.url).origin}/shared/${rid}#${key}`
        return c.json({ id: record.id, key, url, expiresAt: timeText(expiresAt) }, 201)
      },
    },
  })
}
