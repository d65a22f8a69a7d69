/** What an operation of a resource says of itself, and what its handler is given. */
import type { MiddlewareHandler } from 'hono'
import type { Quotas } from '../access/quotas.ts'
import type { Bounds, Limits } from '../core/limits.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { BodyBudget } from './body-budget.ts'
import type { AppContext, AppEnv, ReadBody, WhenAnswered } from './context.ts'
import type { Management } from './management.ts'
import type { Description, OpenApi } from './openapi/types.ts'

/**
 * Who may do something: nobody needs a key for `nothing`, and any key will do for `key`; the others are scopes of a key, or
 * the operator's token.
 */
export type Need = 'nothing' | 'key' | 'read' | 'write' | 'admin' | 'operator' | 'operator or admin'

/** One method of one resource. */
export interface Operation {
  readonly needs: Need
  /**
   * Whether a key for one run is let in where the path names no run: the handler then keeps it to that run. Where the path
   * names one, it must be the key's.
   */
  readonly oneRun?: 'handled'
  /** `events` where the answer goes on for as long as somebody watches. */
  readonly answer?: 'events'
  /** In /openapi.json; `hidden` for what is no part of the API. */
  readonly describe: Description | 'hidden'
  readonly handler: (c: AppContext, services: Services) => Response | Promise<Response>
}

export const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const
export type Method = (typeof METHODS)[number]

/** Paths, as the router writes them, with what can be done there. */
export type Resources = Readonly<Record<string, { readonly [M in Method]?: Operation }>>

/** What all handlers share. */
export interface Services {
  readonly limits: Limits
  readonly readBody: ReadBody
  readonly bodies: BodyBudget
  /** What whole documents take of memory that are answers and have not left yet. */
  readonly documents: BodyBudget
  readonly whenAnswered: WhenAnswered
  readonly bounds: Bounds
  readonly quotas: Quotas
  /** Gives a request its caller and that caller's backend: the one place where that happens. */
  readonly authorize: (operation: Pick<Operation, 'needs' | 'oneRun' | 'answer'>) => MiddlewareHandler<AppEnv>
  /** Of tenants and keys; absent where there are none. */
  readonly management: Management | undefined
  /** The backend under a tenant's name in the storage; handlers have that of their caller in the context. */
  readonly openBackend: (storage: string) => StoreBackend
  /** Of this software. */
  readonly version: string
  /** What the routes say of themselves. */
  readonly openApi: () => OpenApi
}
