/** Schemas of tenants and keys, for /openapi.json. */
import { SCOPES } from '../../access/records.ts'
import { body, flag, int64, list, object, ref, text, textOrNull, time, timeOrNull } from './schema-parts.ts'
import type { JsonSchema, JsonSchemas } from './types.ts'

const MAX_INTEGER = Number.MAX_SAFE_INTEGER

const limit = (minimum: 0 | 1, description: string): JsonSchema => ({
  type: ['integer', 'null'],
  format: 'int64',
  minimum,
  maximum: MAX_INTEGER,
  description: `${description}; null: no limit`,
})
const limits: JsonSchemas = {
  requestsPerMinute: limit(1, 'Requests a minute'),
  storedBytes: limit(0, 'Bytes of metadata and draws'),
  runs: limit(0, 'Runs'),
  bodyBytes: limit(1, 'Bytes of one body'),
}
const NO_LIMITS = { requestsPerMinute: null, storedBytes: null, runs: null, bodyBytes: null }

const expiresAt: JsonSchema = {
  ...timeOrNull,
  description: 'RFC 3339, still to come; null, as when it is absent: never',
}
/** All but control characters, as a class of a regular expression holds it. */
const PLAIN = '^\\u0000-\\u001f\\u007f-\\u009f'
const keyName: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  pattern: `^[${PLAIN}]*[${PLAIN}\\s][${PLAIN}]*$`,
  description: 'Not blank, and without control characters',
}
const runOrNull: JsonSchema = {
  oneOf: [ref('RunId'), { type: 'null' }],
  description: 'The one run that the key is for; null: all runs of the tenant',
}
const key: JsonSchemas = {
  id: ref('KeyId'),
  name: text,
  scopes: ref('ScopeList'),
  run: textOrNull,
  createdAt: time,
  expiresAt,
}

const ID = 'o5AZ1uj3kfwN3Jwu4P'
const EXAMPLE_KEY = `mcb_${ID}_secret`
const CREATED = '2026-11-25T21:09:05.075Z'
const EXPIRES = '2099-12-31T23:59:59.000Z'
const KEY_EXAMPLE = { id: ID, name: 'sampler', scopes: ['write'], run: null, createdAt: CREATED, expiresAt: EXPIRES }
const TENANT_EXAMPLE = {
  tenant: 'lab',
  createdAt: CREATED,
  suspended: false,
  limits: { ...NO_LIMITS, runs: 5000 },
  usage: { runs: 12, storedBytes: 48_120_532 },
}

export const MANAGEMENT_SCHEMAS: JsonSchemas = {
  TenantName: { type: 'string', pattern: '^[a-z0-9-]{1,64}$' },
  KeyId: { type: 'string', pattern: '^[0-9A-Za-z]{18}$' },
  ScopeList: list(
    { type: 'string', enum: [...SCOPES] },
    { minItems: 1, description: '`write` includes `read`; `admin` includes both' },
  ),
  LimitChange: body([], limits, { description: 'Limits that are named are set' }),
  LimitSet: object(limits),
  UsageCount: object({ runs: int64, storedBytes: int64 }),
  TenantCreation: body(
    ['tenant'],
    { tenant: ref('TenantName'), limits: ref('LimitChange') },
    { examples: [{ tenant: 'lab', limits: { runs: 5000 } }] },
  ),
  TenantChange: body(
    [],
    { limits: ref('LimitChange'), suspended: flag },
    { description: 'What is not named stays', examples: [{ limits: { runs: null }, suspended: false }] },
  ),
  TenantState: object(
    {
      tenant: ref('TenantName'),
      createdAt: time,
      suspended: flag,
      limits: ref('LimitSet'),
      usage: ref('UsageCount'),
    },
    { examples: [TENANT_EXAMPLE] },
  ),
  TenantList: object({ tenants: list(ref('TenantState')) }, { examples: [{ tenants: [TENANT_EXAMPLE] }] }),
  KeyCreation: body(
    ['name', 'scopes'],
    { name: keyName, scopes: ref('ScopeList'), expiresAt, run: runOrNull },
    { examples: [{ name: 'sampler', scopes: ['write'], expiresAt: EXPIRES }] },
  ),
  CreatedKey: object(
    { ...key, key: { type: 'string', description: 'The key itself; shown this once' } },
    { examples: [{ ...KEY_EXAMPLE, key: EXAMPLE_KEY }] },
  ),
  KeyState: object({
    ...key,
    lastUsedAt: { ...timeOrNull, description: 'Exact to a minute or two; null: never used' },
  }),
  KeyList: object({ keys: list(ref('KeyState')) }, { examples: [{ keys: [{ ...KEY_EXAMPLE, lastUsedAt: null }] }] }),
  ShareCreation: body([], { expiresAt }, { examples: [{ expiresAt: EXPIRES }] }),
  ShareLink: object(
    {
      id: ref('KeyId'),
      key: { type: 'string', description: 'The key itself; shown this once' },
      url: { type: 'string', format: 'uri', description: 'A page for people; the key stands behind the #' },
      expiresAt,
    },
    {
      examples: [
        {
          id: ID,
          key: EXAMPLE_KEY,
          url: `https://draws.example.org/shared/eight-schools#${EXAMPLE_KEY}`,
          expiresAt: null,
        },
      ],
    },
  ),
  CallerState: object(
    {
      tenant: { ...textOrNull, description: 'null for a key of one run' },
      key: {
        ...object({ id: ref('KeyId'), name: text }),
        type: ['object', 'null'],
        description: 'null where there are no keys',
      },
      scopes: ref('ScopeList'),
      run: { ...textOrNull, description: 'The one run that the key is for' },
      limits: ref('LimitSet'),
      usage: {
        ...object({ runs: int64, storedBytes: int64 }),
        type: ['object', 'null'],
        description: 'null for a key of one run',
      },
    },
    {
      examples: [
        {
          tenant: 'lab',
          key: { id: ID, name: 'sampler' },
          scopes: ['read', 'write'],
          run: null,
          limits: NO_LIMITS,
          usage: TENANT_EXAMPLE.usage,
        },
      ],
    },
  ),
}
