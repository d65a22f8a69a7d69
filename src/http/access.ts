/** The caller of a request, and its permission: 401, 403 and 429, before anything else is looked at. */
import { createMiddleware } from 'hono/factory'
import { KeyFailures } from '../access/failures.ts'
import { equalInConstantTime } from '../access/key-format.ts'
import type { Defer, Keyring } from '../access/keyring.ts'
import { Rates } from '../access/rates.ts'
import { effectiveScopes, type FoundKey, type KeyRecord } from '../access/records.ts'
import { McbError } from '../core/errors.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { AddressOf, AppContext, AppEnv, Caller, IsLocal } from './context.ts'
import { noKeysHere } from './management.ts'
import type { Need, Services } from './operation.ts'

type Authorize = Services['authorize']

/** Access without keys: everybody is the one tenant, and there is nothing to manage. */
export function openAccess(openBackend: () => StoreBackend, isLocal: IsLocal): Authorize {
  return ({ needs }) =>
    createMiddleware<AppEnv>(async (c, next) => {
      if (needs === 'operator or this machine') {
        if (isLocal(c)) return next()
        throw new McbError(
          'forbidden',
          'without keys, this is for programs of the same machine, and not through a proxy',
        )
      }
      if (needs === 'operator' || needs === 'operator or admin') throw noKeysHere()
      if (needs === 'nothing') return next()
      refuseShareKey(c)
      c.set('caller', { kind: 'anyone' })
      c.set('stillAllowed', async () => true)
      c.set('backend', openBackend())
      await next()
    })
}

export interface KeyedAccess {
  readonly keyring: Keyring
  readonly operatorToken: string
  readonly openBackend: (storage: string) => StoreBackend
  readonly now: () => number
  /** Failures of keys are counted by it; those without an address are not. */
  readonly addressOf: AddressOf
  /** Takes work that the answer does not wait for. */
  readonly defer: (c: AppContext) => Defer
}

export function keyedAccess({ keyring, operatorToken, openBackend, now, addressOf, defer }: KeyedAccess): Authorize {
  const rates = new Rates()
  const failures = new KeyFailures()

  /** The error for a key that is none. Only here is anybody held up: a valid key never comes here. */
  const failure = (c: AppContext, detail = 'the key is not known: it may be revoked or expired'): McbError => {
    const address = addressOf(c)
    const retryAfter = address === undefined ? 0 : failures.count(address, now())
    return retryAfter === 0
      ? new McbError('unauthorized', detail)
      : new McbError('rate_limited', 'too many unknown keys come from this address; try again later', { retryAfter })
  }

  const callerOf = async (c: AppContext, text: string | undefined): Promise<Caller> => {
    if (text === undefined) {
      const detail = 'send a key: "Authorization: Bearer mcb_…"'
      throw c.req.header('Authorization') ? failure(c, detail) : new McbError('unauthorized', detail)
    }
    if (equalInConstantTime(text, operatorToken)) return { kind: 'operator' }
    const found = await keyring.find(text, defer(c))
    if (found === undefined) throw failure(c)
    if (found.tenant.suspended) throw new McbError('tenant_suspended', `${describeTenant(found)} is suspended`)
    return { kind: 'key', ...found }
  }

  const stillAllowed = (c: AppContext, text: string) => async () => {
    const found = await keyring.find(text, defer(c)).catch(() => undefined)
    return found !== undefined && !found.tenant.suspended
  }

  /** The run of a share key in the path: any other key there is none. */
  const shareOf = async (c: AppContext, text: string): Promise<Caller> => {
    const caller = await callerOf(c, text)
    const run = caller.kind === 'key' && caller.key.share ? caller.key.run : null
    if (run === null)
      throw failure(c, 'only a share key may stand in a path; send any other as "Authorization: Bearer mcb_…"')
    c.set('sharedRun', run)
    return caller
  }

  return ({ needs, oneRun, cost = () => 1 }) =>
    createMiddleware<AppEnv>(async (c, next) => {
      if (needs === 'nothing') return next()
      const shareKey = shareKeyOf(c)
      const text = shareKey ?? keyTextOf(c.req.header('Authorization'))
      const caller = await (shareKey === undefined ? callerOf(c, text) : shareOf(c, shareKey))
      c.set('caller', caller)
      if (caller.kind === 'key') {
        takeFromRate(c, rates, caller, { tokens: cost(c), now: now() })
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

/** The tenant of a key as errors name it. A key for one run alone, such as a share, learns nothing of its tenant. */
export function describeTenant({ key, tenant }: FoundKey | Extract<Caller, { kind: 'key' }>): string {
  return key.run === null ? `tenant "${tenant.name}"` : 'the tenant of this key'
}

/** The key in a path of shares, whatever it is; undefined for other paths. */
function shareKeyOf(c: AppContext): string | undefined {
  return c.req.param('shareKey')
}

function refuseShareKey(c: AppContext): void {
  if (shareKeyOf(c) === undefined) return
  throw new McbError('unauthorized', 'this server has no keys, and so no shares: read /v1/runs/{rid}/… instead')
}

/** A key as Bearer, or as the password of HTTP Basic (RFC 7617), for tools that know nothing else. */
function keyTextOf(authorization = ''): string | undefined {
  const [, scheme = '', credentials = ''] = /^(Bearer|Basic) +([\x21-\x7e]+) *$/i.exec(authorization) ?? []
  return scheme.toLowerCase() === 'basic' ? passwordIn(credentials) : credentials || undefined
}

function passwordIn(credentials: string): string | undefined {
  try {
    return /^[^:]*:([\x21-\x7e]+)$/.exec(atob(credentials))?.[1]
  } catch {
    return undefined
  }
}

function requireScope({ scopes }: KeyRecord, needs: Need): void {
  if (needs === 'operator' || needs === 'operator or this machine') {
    throw new McbError('forbidden', "this needs the operator's token")
  }
  const scope = needs === 'operator or admin' ? 'admin' : needs
  if (scope === 'key' || scope === 'nothing' || effectiveScopes(scopes).includes(scope)) return
  throw new McbError('forbidden', `the key has no scope "${scope}"; an admin key of the tenant makes one that has`)
}

function requireRun(c: AppContext, { run }: KeyRecord, oneRun: 'handled' | undefined): void {
  if (run === null) return
  const rid = c.get('sharedRun') ?? c.req.param('rid')
  if (rid === undefined ? oneRun === 'handled' : rid === run) return
  throw new McbError('forbidden', `the key is for run "${run}" alone`)
}

/**
 * Counts the request against its tenant's limit and says so in the answer.
 *
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/10/
 */
function takeFromRate(
  c: AppContext,
  rates: Rates,
  caller: Extract<Caller, { kind: 'key' }>,
  { tokens, now }: { readonly tokens: number; readonly now: number },
): void {
  const { id, limits } = caller.tenant
  const { requestsPerMinute: limit } = limits
  if (limit === null) return
  const { allowed, remaining, reset, retryAfter } = rates.take(id, limit, now, tokens)
  if (caller.key.run !== null) {
    if (allowed) return
    throw new McbError('rate_limited', `${describeTenant(caller)} sends too many requests`, { retryAfter })
  }
  c.header('RateLimit-Policy', `"tenant";q=${limit};w=60`)
  c.header('RateLimit', `"tenant";r=${remaining};t=${reset}`)
  if (allowed) return
  throw new McbError('rate_limited', `${describeTenant(caller)} may send ${limit} requests a minute`, {
    limit,
    retryAfter,
  })
}
