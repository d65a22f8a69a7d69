/** Helpers that the routes for tenants and keys share. */

import { hashOf, newKey } from '../access/key-format.ts'
import type { Keyring } from '../access/keyring.ts'
import type { ControlStore, KeyRecord, Tenant } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import type { Limits } from '../core/limits.ts'
import type { Audit } from './audit.ts'
import type { AppContext } from './context.ts'

/** Management of tenants and keys; there is none in open mode. */
export interface Management {
  readonly control: ControlStore
  readonly keyring: Keyring
  readonly audit: Audit
  readonly now: () => number
  readonly limits: Pick<Limits, 'keys' | 'shares'>
  /** Forgets the backend of a tenant that is gone. */
  readonly closeBackend: (storage: string) => void
  /** Address under which this server is reached; that of the request when absent. */
  readonly publicUrl?: string
}

export function noKeysHere(): McbError {
  return new McbError('forbidden', 'this server has no tenants and no keys; its operator starts it with MCB_AUTH=keys')
}

/** @throws McbError `forbidden` in open mode */
export function managed(management: Management | undefined): Management {
  if (management === undefined) throw noKeysHere()
  return management
}

/** The key that a request came with, and its tenant. @throws McbError `forbidden` in open mode */
export function keyOf(c: AppContext): { readonly key: KeyRecord; readonly tenant: Tenant } {
  const caller = c.get('caller')
  if (caller.kind !== 'key') throw noKeysHere()
  return caller
}

export type NewKey = Pick<KeyRecord, 'name' | 'scopes' | 'run' | 'share' | 'expiresAt'>

/**
 * Makes a key; its text is known here and to the receiver of the answer, and kept nowhere.
 *
 * @throws McbError `quota_exceeded`
 */
export async function addKey(
  { control, keyring, now, limits }: Management,
  tenant: Tenant,
  wanted: NewKey,
): Promise<{ readonly record: KeyRecord; readonly key: string }> {
  const id = await keyring.newId()
  const key = newKey(id)
  const record: KeyRecord = { ...wanted, id, createdAt: now(), lastUsedAt: null }
  await control.addKey(tenant.id, record, await hashOf(key), wanted.share ? limits.shares : limits.keys)
  return { record, key }
}

/** The shares of a run end with it. */
export async function endShares(c: AppContext, management: Management | undefined, rid: string): Promise<void> {
  const caller = c.get('caller')
  if (management === undefined || caller.kind !== 'key') return
  await management.control.removeShares(caller.tenant.id, rid)
  management.keyring.forget()
}

/** Refuses a key that could do more, or would live longer, than the key that makes it. @throws McbError `forbidden` */
export function requireWithin(maker: KeyRecord, wanted: Pick<NewKey, 'run' | 'expiresAt'>): void {
  if (maker.run !== null && wanted.run !== maker.run) {
    throw new McbError('forbidden', `the key is for run "${maker.run}" alone, and makes keys for that run only`)
  }
  if (maker.expiresAt !== null && (wanted.expiresAt === null || wanted.expiresAt > maker.expiresAt)) {
    const until = new Date(maker.expiresAt).toISOString()
    throw new McbError('forbidden', `the key expires at ${until}; what it makes must expire by then`)
  }
}

/** @throws McbError `invalid_parameter` */
export function requireFuture(expiresAt: number | null, now: number): void {
  if (expiresAt !== null && expiresAt <= now) {
    throw new McbError('invalid_parameter', '"expiresAt" must be a time that is still to come')
  }
}

export function timeText(milliseconds: number): string
export function timeText(milliseconds: number | null): string | null
export function timeText(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString()
}
