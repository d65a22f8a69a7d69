/** The limits of the request's tenant on what it may send and keep. In open mode there are none. */
import type { Quotas } from '../access/quotas.ts'
import { NO_LIMITS, type TenantLimits } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import type { Usage } from '../core/store.ts'
import { describeTenant } from './access.ts'
import type { AppContext } from './context.ts'

export function tenantLimits(c: AppContext): TenantLimits {
  const caller = c.get('caller')
  return caller.kind === 'key' ? caller.tenant.limits : NO_LIMITS
}

/** The largest body that the tenant may send where the deployment allows `limit`. */
export function bodyLimit(c: AppContext, limit: number): number {
  return Math.min(limit, tenantLimits(c).bodyBytes ?? limit)
}

/**
 * Makes sure of room for an addition. Only when there is none, `isKept` tells whether the addition is kept already, so that a
 * retry of an accepted request is answered as that one was.
 *
 * @throws McbError `quota_exceeded`
 */
export async function requireRoom(
  c: AppContext,
  quotas: Quotas,
  added: Usage,
  isKept: () => Promise<boolean>,
): Promise<void> {
  const caller = c.get('caller')
  if (caller.kind !== 'key') return
  const { runs, storedBytes } = caller.tenant.limits
  if (storedBytes === null && (runs === null || added.runs === 0)) return
  const { store } = c.get('backend')
  const used = await quotas.usage(caller.tenant.storage, () => store.usage())
  const exceeded =
    runs !== null && added.runs > 0 && used.runs + added.runs > runs
      ? { limit: runs, detail: `${describeTenant(caller)} may keep ${runs} runs and has ${used.runs}` }
      : storedBytes !== null && used.bytes + added.bytes > storedBytes
        ? {
            limit: storedBytes,
            detail: `${describeTenant(caller)} may keep ${storedBytes} bytes and has ${used.bytes}`,
          }
        : undefined
  if (exceeded === undefined || (await isKept())) return
  if (caller.key.run !== null) throw new McbError('quota_exceeded', `${describeTenant(caller)} may keep no more`)
  const detail = `${exceeded.detail}: delete runs, or ask the operator for more`
  throw new McbError('quota_exceeded', detail, { limit: exceeded.limit })
}

/** Counts accepted runs and bytes. */
export function countAdded(c: AppContext, quotas: Quotas, added: Usage): void {
  const caller = c.get('caller')
  if (caller.kind === 'key') quotas.add(caller.tenant.storage, added)
}

/** Lets the storage be asked again, after something was deleted. */
export function countAnew(c: AppContext, quotas: Quotas): void {
  const caller = c.get('caller')
  if (caller.kind === 'key') quotas.forget(caller.tenant.storage)
}
