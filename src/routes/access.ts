/** Who a request is from, and whether it may do what it asks for: 401, 403 and 429, before anything else is looked at. */
import { createMiddleware } from 'hono/factory'
import type { StoreBackend } from '../backends/stored.ts'
import type { Defer, Keyring } from '../control/keyring.ts'
import { Rates } from '../control/rates.ts'
import { McbError } from '../core/errors.ts'
import { equalInConstantTime } from '../core/keys.ts'
import { effectiveScopes, type KeyRecord, type Tenant } from '../core/tenants.ts'
import type { AppContext, AppEnv, Caller, Need, Services } from './context.ts'

type Authorize = Services['authorize']

/** Where there are no keys: everybody is the one tenant, and there is nothing to manage. */
export function openAccess(openBackend: () => StoreBackend): Authorize {
  return ({ needs }) =>
    createMiddleware<AppEnv>(async (c, next) => {
      if (needs === 'operator' || needs === 'operator or admin') throw noKeysHere()
      if (needs === 'nothing') return next()
      c.set('caller', { kind: 'anyone' })
      c.set('stillAllowed', async () => true)
      c.set('backend', openBackend())
      await next()
    })
}

export function noKeysHere(): McbError {
  return new McbError('forbidden', 'this server has no tenants and no keys; its operator starts it with MCB_AUTH=keys')
}

export interface KeyedAccess {
  readonly keyring: Keyring
  readonly operatorToken: string
  readonly openBackend: (storage: string) => StoreBackend
  readonly now: () => number
  /** Takes work that the answer does not wait for. */
  readonly defer: (c: AppContext) => Defer
}

export function keyedAccess({ keyring, operatorToken, openBackend, now, defer }: KeyedAccess): Authorize {
  const rates = new Rates()

  const callerOf = async (c: AppContext, text: string | undefined): Promise<Caller> => {
    if (text === undefined) throw new McbError('unauthorized', 'send a key: "Authorization: Bearer mcb_…"')
    if (equalInConstantTime(text, operatorToken)) return { kind: 'operator' }
    const found = await keyring.find(text, defer(c))
    if (found === undefined) throw new McbError('unauthorized', 'the key is not known: it may be revoked or expired')
    if (found.tenant.suspended) throw new McbError('tenant_suspended', `tenant "${found.tenant.name}" is suspended`)
    return { kind: 'key', ...found }
  }

  const stillAllowed = (c: AppContext, text: string) => async () => {
    const found = await keyring.find(text, defer(c)).catch(() => undefined)
    return found !== undefined && !found.tenant.suspended
  }

  return ({ needs, oneRun }) =>
    createMiddleware<AppEnv>(async (c, next) => {
      if (needs === 'nothing') return next()
      const text = bearerOf(c)
      const caller = await callerOf(c, text)
      c.set('caller', caller)
      if (caller.kind === 'key') {
        takeFromRate(c, rates, caller.tenant, now())
        requireScope(caller.key, needs)
        requireRun(c, caller.key, oneRun)
        c.set('backend', openBackend(caller.tenant.storage))
        c.set('stillAllowed', stillAllowed(c, text ?? ''))
      } else if (!needs.startsWith('operator')) {
        throw new McbError('forbidden', "the operator's token manages tenants; this needs a key of a tenant")
      }
      await next()
    })
}

function bearerOf(c: AppContext): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(c.req.header('Authorization') ?? '')?.[1]
}

function requireScope({ scopes }: KeyRecord, needs: Need): void {
  if (needs === 'operator') throw new McbError('forbidden', "this needs the operator's token")
  const scope = needs === 'operator or admin' ? 'admin' : needs
  if (scope === 'key' || scope === 'nothing' || effectiveScopes(scopes).includes(scope)) return
  throw new McbError('forbidden', `the key has no scope "${scope}"; an admin key of the tenant makes one that has`)
}

function requireRun(c: AppContext, { run }: KeyRecord, oneRun: 'handled' | undefined): void {
  if (run === null) return
  const rid = c.req.param('rid')
  if (rid === undefined ? oneRun === 'handled' : rid === run) return
  throw new McbError('forbidden', `the key is for run "${run}" alone`)
}

/**
 * Counts the request against its tenant's limit and says so in the answer.
 *
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/10/
 */
function takeFromRate(c: AppContext, rates: Rates, { id, name, limits }: Tenant, now: number): void {
  const { requestsPerMinute: limit } = limits
  if (limit === null) return
  const { allowed, remaining, reset, retryAfter } = rates.take(id, limit, now)
  c.header('RateLimit-Policy', `"tenant";q=${limit};w=60`)
  c.header('RateLimit', `"tenant";r=${remaining};t=${reset}`)
  if (allowed) return
  throw new McbError('rate_limited', `tenant "${name}" may send ${limit} requests a minute`, { limit, retryAfter })
}
