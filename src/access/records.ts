/** Tenants and their keys, and the interface that a platform implements to keep them. */

/** The tenant of every request where there are no keys. */
export const LOCAL_TENANT = 'local'

/** Scopes of keys: `write` includes `read`; `admin` includes both. */
export const SCOPES = ['read', 'write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** The scopes with those that they include. */
export function effectiveScopes(scopes: readonly Scope[]): readonly Scope[] {
  return SCOPES.slice(0, Math.max(...scopes.map((scope) => SCOPES.indexOf(scope))) + 1)
}

/** Limits of a tenant; null is no limit. */
export interface TenantLimits {
  readonly requestsPerMinute: number | null
  /** Bytes of metadata and draws. */
  readonly storedBytes: number | null
  readonly runs: number | null
  /** Bytes of one body; one above that of the deployment has no effect. */
  readonly bodyBytes: number | null
}

export const LIMIT_NAMES = ['requestsPerMinute', 'storedBytes', 'runs', 'bodyBytes'] as const

export const NO_LIMITS: TenantLimits = { requestsPerMinute: null, storedBytes: null, runs: null, bodyBytes: null }

export interface Tenant {
  readonly id: number
  readonly name: string
  /** The tenant as the storage knows it; no two have the same, also not two of one name. */
  readonly storage: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly suspended: boolean
  readonly limits: TenantLimits
}

export interface TenantChange {
  readonly limits?: Partial<TenantLimits>
  readonly suspended?: boolean
}

/** A tenant that was deleted, or is being deleted. */
export interface RetiredTenant {
  readonly id: number
  readonly storage: string
  readonly retiredAt: number
}

export interface KeyRecord {
  readonly id: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** The one run that it is for. */
  readonly run: string | null
  /** True for a share, which goes with its run. */
  readonly share: boolean
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly lastUsedAt: number | null
}

export interface FoundKey {
  readonly key: KeyRecord
  readonly hash: string
  readonly tenant: Tenant
}

/** Keeps tenants and keys. Arguments and answers are plain data, so that a control store may live behind a thread. */
export interface ControlStore {
  /** A secret of the server under this name: `proposed`, or the one that is there already. */
  secret(name: string, proposed: string): Promise<string>

  /** @throws McbError `tenant_exists` */
  createTenant(name: string, limits: TenantLimits, now: number): Promise<void>
  listTenants(): Promise<Tenant[]>
  findTenant(name: string): Promise<Tenant | undefined>
  updateTenant(name: string, change: TenantChange): Promise<Tenant | undefined>
  /** Begins a deletion, or finds one that was begun: the tenant is not found any more, and its keys are gone. */
  retireTenant(name: string, now: number): Promise<RetiredTenant | undefined>
  /** Frees the name of a retired tenant. */
  releaseName(tenant: number): Promise<void>
  retiredTenants(): Promise<RetiredTenant[]>
  /** Forgets a retired tenant for good. */
  dropTenant(tenant: number): Promise<void>

  /**
   * Adds a key while the tenant has less than `limit` of them; a share while its run has less than `limit` shares. Keys that
   * have expired when this one is made do not count.
   *
   * @throws McbError `tenant_not_found` when the tenant is gone, `quota_exceeded`
   */
  addKey(tenant: number, key: KeyRecord, hash: string, limit: number): Promise<void>
  /** Keys in the order in which they were made; those of one run only when it is given. */
  listKeys(tenant: number, run: string | null): Promise<KeyRecord[]>
  /** Removes a key; false when there is none. With a run, only a key of that run is found. */
  removeKey(tenant: number, id: string, run: string | null): Promise<boolean>
  removeShares(tenant: number, run: string): Promise<void>
  findKey(id: string): Promise<FoundKey | undefined>
  touchKey(id: string, usedAt: number): Promise<void>
}
