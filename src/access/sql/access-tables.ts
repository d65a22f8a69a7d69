/**
 * Tables of the control database: tenants, keys, and what the server itself must remember. `npm run migrations` turns a
 * change of this file into a migration. They lie beside those of the storage, in D1 or in the file of the Node entry.
 */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const tenants = sqliteTable('tenants', {
  id: integer().primaryKey({ autoIncrement: true }),
  /** Null when the tenant was deleted: its row stays for a while, so that late writes are found and removed. */
  name: text().unique(),
  /** The tenant as the storage knows it. No two tenants share one, also not two that had the same name. */
  storage: text().notNull().unique(),
  createdAt: integer('created_at').notNull(),
  suspended: integer().notNull().default(0),
  /** Milliseconds since 1970 at which its deletion began; null for a tenant that is there. */
  retiredAt: integer('retired_at'),
  /** Limits; null for none. */
  requestsPerMinute: integer('requests_per_minute'),
  storedBytes: integer('stored_bytes'),
  runs: integer(),
  bodyBytes: integer('body_bytes'),
})

export const keys = sqliteTable(
  'keys',
  {
    id: text().primaryKey(),
    tenantId: integer('tenant_id').notNull(),
    /** SHA-256 of the whole key, in base64; the key itself is nowhere. */
    hash: text().notNull(),
    name: text().notNull(),
    /** Scopes, separated by spaces. */
    scopes: text().notNull(),
    /** The one run that the key is for; null for all. */
    run: text(),
    /** 1 for a share, which is deleted with its run. */
    share: integer().notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
    lastUsedAt: integer('last_used_at'),
  },
  (t) => [index('keys_by_tenant').on(t.tenantId, t.createdAt)],
)

/** Secrets of the server, each made at its first use. */
export const secrets = sqliteTable('secrets', {
  name: text().primaryKey(),
  value: text().notNull(),
})
