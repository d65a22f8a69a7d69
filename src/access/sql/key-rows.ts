/** Programs for the table of keys. */

import { McbError } from '../../core/errors.ts'
import { numberIn, type Program, type Row, textIn } from '../../sql/program.ts'
import { type FoundKey, type KeyRecord, SCOPES } from '../records.ts'
import { TENANT_COLUMNS, tenantIn } from './tenant-rows.ts'

const COLUMNS = 'k.id, k.name, k.scopes, k.run, k.share, k.created_at, k.expires_at, k.last_used_at'

function keyIn(row: Row): KeyRecord {
  const given = textIn(row, 'scopes').split(' ')
  return {
    id: textIn(row, 'id'),
    name: textIn(row, 'name'),
    scopes: SCOPES.filter((scope) => given.includes(scope)),
    run: row.run === null ? null : textIn(row, 'run'),
    share: row.share === 1,
    createdAt: numberIn(row, 'created_at'),
    expiresAt: timeIn(row, 'expires_at'),
    lastUsedAt: timeIn(row, 'last_used_at'),
  }
}

function timeIn(row: Row, column: string): number | null {
  return row[column] === null ? null : numberIn(row, column)
}

export function* addKey(tenant: number, key: KeyRecord, hash: string, limit: number): Program<void> {
  const live = 'SELECT 1 AS ok FROM tenants WHERE id = ? AND retired_at IS NULL'
  const { where, params } = boundedWith(tenant, key)
  const expired = 'expires_at IS NOT NULL AND expires_at <= ?'
  const counts = `SELECT count(*) AS kept, count(CASE WHEN ${expired} THEN 1 END) AS expired FROM keys WHERE ${where}`
  const [rows, [counted] = []] = yield {
    reads: [
      { sql: live, params: [tenant] },
      { sql: counts, params: [key.createdAt, ...params] },
    ],
  }
  if (rows?.length === 0) throw new McbError('tenant_not_found', 'the tenant was deleted')
  const [kept, useless] = counted === undefined ? [0, 0] : [numberIn(counted, 'kept'), numberIn(counted, 'expired')]
  if (kept - useless >= limit) throw tooMany(key, limit)
  yield {
    // Inserts nothing while the tenant is there and has room, and violates a NOT NULL constraint otherwise.
    guard: {
      sql:
        `INSERT INTO keys (id) SELECT NULL WHERE NOT EXISTS (${live}) ` +
        `OR (SELECT count(*) FROM keys WHERE ${where} AND NOT (${expired})) >= ?`,
      params: [tenant, ...params, key.createdAt, limit],
    },
    writes: [
      // Expired keys stay in lists, where they tell why they do not work, until their room is needed.
      ...(kept < limit
        ? []
        : [{ sql: `DELETE FROM keys WHERE ${where} AND ${expired}`, params: [...params, key.createdAt] }]),
      {
        sql:
          'INSERT INTO keys (id, tenant_id, hash, name, scopes, run, share, created_at, expires_at) ' +
          'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        params: [
          key.id,
          tenant,
          hash,
          key.name,
          key.scopes.join(' '),
          key.run,
          key.share ? 1 : 0,
          key.createdAt,
          key.expiresAt,
        ],
      },
    ],
  }
}

/** The keys that count against one bound: the shares of a run, or the other keys of a tenant. */
function boundedWith(tenant: number, { share, run }: KeyRecord): { where: string; params: (string | number)[] } {
  return share && run !== null
    ? { where: 'tenant_id = ? AND share = 1 AND run = ?', params: [tenant, run] }
    : { where: 'tenant_id = ? AND share = 0', params: [tenant] }
}

function tooMany({ share, run }: KeyRecord, limit: number): McbError {
  const detail = share
    ? `run "${run}" has ${limit} shares, and may have no more: revoke some, or let them expire`
    : `the tenant has ${limit} keys, and may have no more: revoke some, or let them expire`
  return new McbError('quota_exceeded', detail, { limit })
}

export function* listKeys(tenant: number, run: string | null): Program<KeyRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM keys k WHERE k.tenant_id = ? AND (? IS NULL OR k.run = ?) ORDER BY k.created_at, k.id`
  const [rows = []] = yield { reads: [{ sql, params: [tenant, run, run] }] }
  return rows.map(keyIn)
}

export function* removeKey(tenant: number, id: string, run: string | null): Program<boolean> {
  const own = 'id = ? AND tenant_id = ? AND (? IS NULL OR run = ?)'
  const params = [id, tenant, run, run]
  const [rows] = yield { reads: [{ sql: `SELECT 1 AS ok FROM keys WHERE ${own}`, params }] }
  if (rows?.length === 0) return false
  yield { writes: [{ sql: `DELETE FROM keys WHERE ${own}`, params }] }
  return true
}

export function* findKey(id: string): Program<FoundKey | undefined> {
  const sql =
    `SELECT ${COLUMNS}, k.hash, ${TENANT_COLUMNS} FROM keys k JOIN tenants t ON t.id = k.tenant_id ` +
    'WHERE k.id = ? AND t.retired_at IS NULL'
  const [rows] = yield { reads: [{ sql, params: [id] }] }
  const row = rows?.[0]
  return row && { key: keyIn(row), hash: textIn(row, 'hash'), tenant: tenantIn(row) }
}
