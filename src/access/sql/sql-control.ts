/** Tenants and keys on any SQLite, through the same drivers as the draws. */

import type { SqlDriver } from '../../sql/program.ts'
import type { ControlStore, KeyRecord, TenantChange, TenantLimits } from '../records.ts'
import { addKey, findKey, listKeys, removeKey } from './key-rows.ts'
import { createTenant, findTenant, listTenants, retiredTenants, retireTenant, updateTenant } from './tenant-rows.ts'

export class SqlControl implements ControlStore {
  private readonly driver: SqlDriver

  constructor(driver: SqlDriver) {
    this.driver = driver
  }

  async secret(name: string, proposed: string): Promise<string> {
    await this.write('INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', name, proposed)
    return this.driver.run(function* () {
      const [rows] = yield { reads: [{ sql: 'SELECT value FROM secrets WHERE name = ?', params: [name] }] }
      return String(rows?.[0]?.value)
    })
  }

  createTenant(name: string, limits: TenantLimits, now: number) {
    return this.driver.run(() => createTenant(name, limits, now))
  }

  listTenants() {
    return this.driver.run(listTenants)
  }

  findTenant(name: string) {
    return this.driver.run(() => findTenant(name))
  }

  updateTenant(name: string, change: TenantChange) {
    return this.driver.run(() => updateTenant(name, change))
  }

  retireTenant(name: string, now: number) {
    return this.driver.run(() => retireTenant(name, now))
  }

  releaseName(tenant: number) {
    return this.write('UPDATE tenants SET name = NULL WHERE id = ? AND retired_at IS NOT NULL', tenant)
  }

  retiredTenants() {
    return this.driver.run(retiredTenants)
  }

  dropTenant(tenant: number) {
    return this.write('DELETE FROM tenants WHERE id = ? AND retired_at IS NOT NULL AND name IS NULL', tenant)
  }

  addKey(tenant: number, key: KeyRecord, hash: string, limit: number) {
    return this.driver.run(() => addKey(tenant, key, hash, limit))
  }

  listKeys(tenant: number, run: string | null) {
    return this.driver.run(() => listKeys(tenant, run))
  }

  removeKey(tenant: number, id: string, run: string | null) {
    return this.driver.run(() => removeKey(tenant, id, run))
  }

  removeShares(tenant: number, run: string) {
    return this.write('DELETE FROM keys WHERE tenant_id = ? AND run = ? AND share = 1', tenant, run)
  }

  findKey(id: string) {
    return this.driver.run(() => findKey(id))
  }

  touchKey(id: string, usedAt: number) {
    const sql = 'UPDATE keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?'
    return this.write(sql, usedAt, id)
  }

  private write(sql: string, ...params: readonly (string | number)[]): Promise<void> {
    return this.driver.run(function* () {
      yield { writes: [{ sql, params }] }
    })
  }
}
