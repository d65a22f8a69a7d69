/** /v1/tenants and /v1/tenants/{tenant}, for the operator. */
import * as v from 'valibot'
import { LIMIT_NAMES, NO_LIMITS, type Tenant, type TenantLimits } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import type { Usage } from '../core/store.ts'
import { limitsBody, readJson, tenantName } from '../http/json-body.ts'
import { managed, timeText } from '../http/management.ts'
import { describe, emptyResponse, jsonBody, jsonResponse, packedResponse } from '../http/openapi/describe.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { tenantParam } from '../http/params.ts'

const newTenant = v.strictObject({ tenant: tenantName, limits: v.optional(limitsBody, {}) })
const change = v.strictObject({
  limits: v.optional(limitsBody, {}),
  suspended: v.optional(v.boolean('true or false')),
})

/** Tenants whose usage is asked for at once. */
const ASKED_TOGETHER = 6

const listTenants: Operation = {
  needs: 'operator',
  describe: describe('Tenants', 'listTenants', 'All tenants, by name, with what they keep', {
    responses: { 200: packedResponse('Tenants', 'TenantList') },
  }),
  handler: async (c, services) => {
    const all = await managed(services.management).control.listTenants()
    const tenants: ReturnType<typeof present>[] = []
    for (let at = 0; at < all.length; at += ASKED_TOGETHER) {
      const some = all.slice(at, at + ASKED_TOGETHER)
      tenants.push(...(await Promise.all(some.map(async (tenant) => present(tenant, await usageOf(services, tenant))))))
    }
    return c.json({ tenants })
  },
}

const createTenant: Operation = {
  needs: 'operator',
  describe: describe('Tenants', 'createTenant', 'Make a tenant', {
    requestBody: jsonBody('TenantCreation'),
    responses: { 201: jsonResponse('The tenant', 'TenantState', 'Location') },
    errors: ['invalid_parameter', 'tenant_exists'],
  }),
  handler: async (c, services) => {
    const { control, audit, now } = managed(services.management)
    const { tenant: name, limits: given } = await readJson(c, services, newTenant)
    const limits = { ...NO_LIMITS, ...changed(given) }
    const createdAt = now()
    await control.createTenant(name, limits, createdAt)
    audit(c, 'tenant.create', name, { limits })
    const tenant = { name, createdAt, suspended: false, limits }
    return c.json(present(tenant, { runs: 0, bytes: 0 }), 201, { Location: `/v1/tenants/${name}` })
  },
}

const getTenant: Operation = {
  needs: 'operator',
  describe: describe('Tenants', 'getTenant', 'A tenant, with what it keeps', {
    responses: { 200: jsonResponse('The tenant', 'TenantState') },
    errors: ['tenant_not_found'],
  }),
  handler: async (c, services) => {
    const name = tenantParam(c)
    const tenant = await managed(services.management).control.findTenant(name)
    if (tenant === undefined) throw tenantNotFound(name)
    return c.json(present(tenant, await usageOf(services, tenant)))
  },
}

const changeTenant: Operation = {
  needs: 'operator',
  describe: describe('Tenants', 'changeTenant', 'Change limits, suspend or resume; what is not named stays', {
    requestBody: jsonBody('TenantChange'),
    responses: { 200: jsonResponse('The tenant', 'TenantState') },
    errors: ['tenant_not_found'],
  }),
  handler: async (c, services) => {
    const { control, keyring, audit } = managed(services.management)
    const name = tenantParam(c)
    if ((await control.findTenant(name)) === undefined) throw tenantNotFound(name)
    const { limits, suspended } = await readJson(c, services, change)
    const wanted = { limits: changed(limits), ...(suspended !== undefined && { suspended }) }
    const tenant = await control.updateTenant(name, wanted)
    if (tenant === undefined) throw tenantNotFound(name)
    keyring.forget()
    audit(c, 'tenant.change', name, wanted)
    return c.json(present(tenant, await usageOf(services, tenant)))
  },
}

const deleteTenant: Operation = {
  needs: 'operator',
  describe: describe('Tenants', 'deleteTenant', 'Delete a tenant with its keys, runs and draws', {
    responses: { 204: emptyResponse('Nothing of it is left') },
    errors: ['tenant_not_found'],
  }),
  handler: async (c, services) => {
    const { control, keyring, audit, now, closeBackend } = managed(services.management)
    const name = tenantParam(c)
    const retired = await control.retireTenant(name, now())
    if (retired === undefined) throw tenantNotFound(name)
    keyring.forget()
    // After a failure here, the name stays taken, and another DELETE goes on.
    await services.openBackend(retired.storage).retire()
    await control.releaseName(retired.id)
    closeBackend(retired.storage)
    audit(c, 'tenant.delete', name)
    return c.body(null, 204)
  },
}

function usageOf({ openBackend }: Services, { storage }: Tenant): Promise<Usage> {
  return openBackend(storage).store.usage()
}

function tenantNotFound(name: string): McbError {
  return new McbError('tenant_not_found', `there is no tenant "${name}"`)
}

/** The limits that a body names. */
function changed(given: v.InferOutput<typeof limitsBody>): Partial<TenantLimits> {
  return Object.fromEntries(LIMIT_NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])))
}

function present({ name, createdAt, suspended, limits }: Omit<Tenant, 'id' | 'storage'>, { runs, bytes }: Usage) {
  return { tenant: name, createdAt: timeText(createdAt), suspended, limits, usage: { runs, storedBytes: bytes } }
}

export const tenantRoutes: Resources = {
  '/v1/tenants': { get: listTenants, post: createTenant },
  '/v1/tenants/:tenant': { get: getTenant, patch: changeTenant, delete: deleteTenant },
}
