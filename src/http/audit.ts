/** One line for each change of tenants and keys: the caller and the deed, and never a secret. */
import type { AppContext, Caller } from './context.ts'

export interface AuditEntry {
  /** Time of the change, RFC 3339. */
  readonly at: string
  readonly requestId: string
  readonly by: string
  readonly action:
    | 'tenant.create'
    | 'tenant.change'
    | 'tenant.delete'
    | 'key.create'
    | 'key.revoke'
    | 'share.create'
    | 'shares.revoke'
  readonly tenant: string
  readonly [detail: string]: unknown
}

export type Audit = (
  c: AppContext,
  action: AuditEntry['action'],
  tenant: string,
  details?: { readonly [detail: string]: unknown },
) => void

export function auditTo(write: (entry: AuditEntry) => void, now: () => number): Audit {
  return (c, action, tenant, details = {}) =>
    write({
      at: new Date(now()).toISOString(),
      requestId: c.get('requestId'),
      by: nameOf(c.get('caller')),
      action,
      tenant,
      ...details,
    })
}

function nameOf(caller: Caller): string {
  return caller.kind === 'key' ? `key ${caller.key.id} of ${caller.tenant.name}` : caller.kind
}
