/** Programs for the table of tenants. */

import { McbError } from '../../core/errors.ts'
import { numberIn, type Program, type Row, textIn } from '../../sql/program.ts'
import type { RetiredTenant, Tenant, TenantChange, TenantLimits } from '../records.ts'

/** Prefixed, since a row of `keys` is read together with its tenant. */
export const TENANT_COLUMNS =
  't.id AS t_id, t.name AS t_name, t.storage, t.created_at AS t_created_at, t.suspended, ' +
  't.requests_per_minute, t.stored_bytes, t.runs, t.body_bytes'
const LIVE = 't.retired_at IS NULL'

export function tenantIn(row: Row): Tenant {
  return {
    id: numberIn(row, 't_id'),
    name: textIn(row, 't_name'),
    storage: textIn(row, 'storage'),
    createdAt: numberIn(row, 't_created_at'),
    suspended: row.suspended === 1,
    limits: {
      requestsPerMinute: limitIn(row, 'requests_per_minute'),
      storedBytes: limitIn(row, 'stored_bytes'),
      runs: limitIn(row, 'runs'),
      bodyBytes: limitIn(row, 'body_bytes'),
    },
  }
}

function limitIn(row: Row, column: string): number | null {
  return row[column] === null ? null : numberIn(row, column)
}

export function* createTenant(name: string, limits: TenantLimits, now: number): Program<void> {
  const [named, stored] = yield {
    reads: [
      { sql: 'SELECT retired_at FROM tenants WHERE name = ?', params: [name] },
      { sql: 'SELECT 1 AS ok FROM tenants WHERE storage = ?', params: [name] },
    ],
  }
  const existing = named?.[0]
  if (existing !== undefined) {
    const detail =
      existing.retired_at === null ? 'exists already' : 'is being deleted; DELETE it again until that is done'
    throw new McbError('tenant_exists', `tenant "${name}" ${detail}`)
  }
  // A name that had a tenant before gets a place of its own: rows that the former one may have left are not found there.
  const storage = stored?.length === 0 ? name : `${name}@${crypto.randomUUID().slice(0, 13)}`
  const { requestsPerMinute, storedBytes, runs, bodyBytes } = limits
  yield {
    writes: [
      {
        sql:
          'INSERT INTO tenants (name, storage, created_at, requests_per_minute, stored_bytes, runs, body_bytes) ' +
          'VALUES (?, ?, ?, ?, ?, ?, ?)',
        params: [name, storage, now, requestsPerMinute, storedBytes, runs, bodyBytes],
      },
    ],
  }
}

export function* listTenants(): Program<Tenant[]> {
  const sql = `SELECT ${TENANT_COLUMNS} FROM tenants t WHERE ${LIVE} ORDER BY t.name`
  const [rows = []] = yield { reads: [{ sql, params: [] }] }
  return rows.map(tenantIn)
}

export function* findTenant(name: string): Program<Tenant | undefined> {
  const sql = `SELECT ${TENANT_COLUMNS} FROM tenants t WHERE t.name = ? AND ${LIVE}`
  const [rows] = yield { reads: [{ sql, params: [name] }] }
  return rows?.[0] && tenantIn(rows[0])
}

export function* updateTenant(name: string, change: TenantChange): Program<Tenant | undefined> {
  const present = yield* findTenant(name)
  if (present === undefined) return undefined
  const limits = { ...present.limits, ...change.limits }
  const suspended = change.suspended ?? present.suspended
  yield {
    writes: [
      {
        sql:
          'UPDATE tenants SET suspended = ?, requests_per_minute = ?, stored_bytes = ?, runs = ?, body_bytes = ? ' +
          'WHERE id = ? AND retired_at IS NULL',
        params: [
          suspended ? 1 : 0,
          limits.requestsPerMinute,
          limits.storedBytes,
          limits.runs,
          limits.bodyBytes,
          present.id,
        ],
      },
    ],
  }
  return { ...present, limits, suspended }
}

const RETIRED = 'SELECT id, storage, retired_at FROM tenants WHERE'

function retiredIn(row: Row): RetiredTenant {
  return { id: numberIn(row, 'id'), storage: textIn(row, 'storage'), retiredAt: numberIn(row, 'retired_at') }
}

export function* retireTenant(name: string, now: number): Program<RetiredTenant | undefined> {
  const [rows] = yield { reads: [{ sql: `${RETIRED} name = ?`, params: [name] }] }
  const row = rows?.[0]
  if (row === undefined) return undefined
  if (row.retired_at !== null) return retiredIn(row)
  const id = numberIn(row, 'id')
  yield {
    writes: [
      { sql: 'UPDATE tenants SET retired_at = ? WHERE id = ?', params: [now, id] },
      { sql: 'DELETE FROM keys WHERE tenant_id = ?', params: [id] },
    ],
  }
  return retiredIn({ ...row, retired_at: now })
}

export function* retiredTenants(): Program<RetiredTenant[]> {
  const [rows = []] = yield { reads: [{ sql: `${RETIRED} retired_at IS NOT NULL`, params: [] }] }
  return rows.map(retiredIn)
}
