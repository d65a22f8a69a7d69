/** Schemas of what tenants and keys look like, for /openapi.json. */
import { SCOPES } from '../../access/records.ts'

const text = { type: 'string' as const }
const count = { type: 'integer' as const, minimum: 0 }
const time = { type: 'string' as const, format: 'date-time' }
const timeOrNull = { type: ['string', 'null'] as ('string' | 'null')[], format: 'date-time' }
const textOrNull = { type: ['string', 'null'] as ('string' | 'null')[] }
const limit = { type: ['integer', 'null'] as ('integer' | 'null')[], description: 'null: no limit' }
const scopes = { type: 'array' as const, items: { type: 'string' as const, enum: [...SCOPES] }, minItems: 1 }
const tenantName = { type: 'string' as const, pattern: '^[a-z0-9-]{1,64}$' }

const limits = {
  type: 'object' as const,
  additionalProperties: false,
  properties: { requestsPerMinute: limit, storedBytes: limit, runs: limit, bodyBytes: limit },
}
const usage = object({ runs: count, storedBytes: count })
const key = { id: text, name: text, scopes, run: textOrNull, createdAt: time, expiresAt: timeOrNull }
const tenant = { tenant: tenantName, createdAt: time, suspended: { type: 'boolean' as const }, limits, usage }

/** An object with all of these members. */
function object<P extends Record<string, object>>(properties: P) {
  return { type: 'object' as const, required: Object.keys(properties), properties }
}

/** A body: no other members, and only some are required. */
function body<P extends Record<string, object>>(required: string[], properties: P) {
  return { type: 'object' as const, additionalProperties: false, required, properties }
}

export const MANAGEMENT_SCHEMAS = {
  NewTenant: body(['tenant'], { tenant: tenantName, limits }),
  TenantChange: body([], { limits, suspended: { type: 'boolean' as const } }),
  Tenant: object(tenant),
  Tenants: object({ tenants: { type: 'array' as const, items: object(tenant) } }),
  NewKey: body(['name', 'scopes'], { name: text, scopes, expiresAt: timeOrNull, run: textOrNull }),
  CreatedKey: object({ ...key, key: { type: 'string' as const, description: 'Shown this once' } }),
  Keys: object({ keys: { type: 'array' as const, items: object({ ...key, lastUsedAt: timeOrNull }) } }),
  NewShare: body([], { expiresAt: timeOrNull }),
  Share: object({ id: text, key: text, url: text, expiresAt: timeOrNull }),
  Whoami: object({
    tenant: textOrNull,
    key: {
      type: ['object', 'null'] as ('object' | 'null')[],
      description: 'id and name; null where there are no keys',
    },
    scopes,
    run: textOrNull,
    limits,
    usage: { ...usage, type: ['object', 'null'] as ('object' | 'null')[], description: 'null for a key of one run' },
  }),
}
