/** /v1/keys, /v1/keys/{id} and /v1/tenants/{tenant}/keys. */
import * as v from 'valibot'
import { isKeyId } from '../access/key-format.ts'
import type { KeyRecord, Tenant } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import type { AppContext } from '../http/context.ts'
import { expiry, keyName, readJson, runId, scopeList } from '../http/json-body.ts'
import { addKey, keyOf, managed, requireFuture, requireWithin, timeText } from '../http/management.ts'
import { describe, emptyResponse, jsonBody, jsonResponse, packedResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { tenantParam } from '../http/params.ts'

const keyBody = v.strictObject({
  name: keyName,
  scopes: scopeList,
  expiresAt: v.optional(expiry, null),
  run: v.optional(runId, null),
})

const listKeys: Operation = {
  needs: 'admin',
  oneRun: 'handled',
  describe: describe('Keys', 'listKeys', 'The keys of the tenant; those of its run for a key of one run', {
    responses: { 200: packedResponse('Keys, without their secrets', 'KeyList') },
  }),
  handler: async (c, { management }) => {
    const { key, tenant } = keyOf(c)
    const keys = await managed(management).control.listKeys(tenant.id, key.run)
    return c.json({ keys: keys.map(present) })
  },
}

const createKey: Operation = {
  needs: 'admin',
  oneRun: 'handled',
  describe: describe('Keys', 'createKey', 'Make a key; its text is shown this once', {
    requestBody: jsonBody('KeyCreation'),
    responses: { 201: jsonResponse('The key', 'CreatedKey', 'Location') },
    errors: ['invalid_parameter', 'quota_exceeded', 'tenant_not_found'],
  }),
  handler: (c, services) => create(c, services, keyOf(c).tenant),
}

const revokeKey: Operation = {
  needs: 'admin',
  oneRun: 'handled',
  describe: describe('Keys', 'revokeKey', 'Revoke a key; it stops working everywhere within 60 s', {
    responses: { 204: emptyResponse('It is gone') },
    errors: ['key_not_found'],
  }),
  handler: async (c, { management }) => {
    const { control, keyring, audit } = managed(management)
    const { key, tenant } = keyOf(c)
    const id = c.req.param('id') ?? ''
    if (!isKeyId(id))
      throw new McbError('invalid_parameter', 'a key id is 18 letters and digits, as GET /v1/keys shows')
    const removed = await control.removeKey(tenant.id, id, key.run)
    if (!removed) throw new McbError('key_not_found', `there is no key "${id}"`)
    keyring.forget()
    audit(c, 'key.revoke', tenant.name, { key: id })
    return c.body(null, 204)
  },
}

const createTenantKey: Operation = {
  needs: 'operator or admin',
  oneRun: 'handled',
  describe: describe('Tenants', 'createTenantKey', 'Make a key of a tenant; an admin key only of its own tenant', {
    requestBody: jsonBody('KeyCreation'),
    responses: { 201: jsonResponse('The key', 'CreatedKey', 'Location') },
    errors: ['quota_exceeded', 'tenant_not_found'],
  }),
  handler: async (c, services) => {
    const name = tenantParam(c)
    const caller = c.get('caller')
    // Another tenant does not exist, whether it does or not.
    const tenant =
      caller.kind === 'operator'
        ? await managed(services.management).control.findTenant(name)
        : caller.kind === 'key' && caller.tenant.name === name
          ? caller.tenant
          : undefined
    if (tenant === undefined) throw new McbError('tenant_not_found', `there is no tenant "${name}"`)
    return create(c, services, tenant)
  },
}

/** Makes a key of a tenant that the caller has been found to manage. */
async function create(c: AppContext, services: Services, tenant: Tenant): Promise<Response> {
  const management = managed(services.management)
  const { audit, now } = management
  const wanted = await readJson(c, services, keyBody)
  requireFuture(wanted.expiresAt, now())
  const caller = c.get('caller')
  if (caller.kind === 'key') requireWithin(caller.key, wanted)
  const { record, key } = await addKey(management, tenant, { ...wanted, share: false })
  const { id, name, scopes, run, expiresAt } = record
  audit(c, 'key.create', tenant.name, { key: id, name, scopes, run, expiresAt: timeText(expiresAt) })
  const times = { createdAt: timeText(record.createdAt), expiresAt: timeText(expiresAt) }
  return c.json({ id, key, name, scopes, run, ...times }, 201, { Location: `/v1/keys/${id}` })
}

function present({ id, name, scopes, run, createdAt, expiresAt, lastUsedAt }: KeyRecord) {
  return {
    id,
    name,
    scopes,
    run,
    createdAt: timeText(createdAt),
    expiresAt: timeText(expiresAt),
    lastUsedAt: timeText(lastUsedAt),
  }
}

export const keyRoutes: Resources = {
  '/v1/keys': { get: listKeys, post: createKey },
  '/v1/keys/:id': { delete: revokeKey },
  '/v1/tenants/:tenant/keys': { post: createTenantKey },
}
