/** What every handler gets, and what an operation of a resource says of itself. */
import type { Context, Handler, MiddlewareHandler } from 'hono'
import type { DescribeRouteOptions } from 'hono-openapi'
import type { Quotas } from '../access/quotas.ts'
import type { KeyRecord, Tenant } from '../access/records.ts'
import type { Bounds, Limits } from '../core/limits.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { BodyBudget, BodyHold } from './body-budget.ts'
import type { Place } from './open-answers.ts'

export interface AppEnv {
  Variables: {
    requestId: string
    caller: Caller
    /** Whether the caller would still be let in; for answers that take long. */
    stillAllowed: () => Promise<boolean>
    /** The backend of the request's tenant; it can reach nothing else. */
    backend: StoreBackend
    /** What the request's body takes of the budget, once it is being read. */
    hold: BodyHold
    /** The request's place among the open answers of its tenant; absent where these are not counted. */
    place: Place
  }
}

/** Who sends a request: the operator, the holder of a key, or anyone where there are no keys. */
export type Caller =
  | { readonly kind: 'operator' }
  | { readonly kind: 'key'; readonly key: KeyRecord; readonly tenant: Tenant }
  | { readonly kind: 'anyone' }

/**
 * Who may do something: nobody needs a key for `nothing`, and any key will do for `key`; the others are scopes of a key, or
 * the operator's token.
 */
export type Need = 'nothing' | 'key' | 'read' | 'write' | 'admin' | 'operator' | 'operator or admin'

export type AppContext = Context<AppEnv>

/** How a body is to be read. */
export interface BodyWish {
  /** Bytes beyond which it is refused with `payload_too_large`. */
  readonly limit: number
  /** What is allocated is taken from here first; the body is given up when it is cut. */
  readonly hold: BodyHold
  /** Milliseconds without a byte after which it is given up. */
  readonly stallMs: number
}

/** Reads a request's body, whatever the platform. */
export type ReadBody = (c: AppContext, wish: BodyWish) => Promise<Uint8Array<ArrayBuffer>>

/** Calls `ended` when the answer to a request has left, or never will; false where a platform does not learn of that. */
export type WhenAnswered = (c: AppContext, ended: () => void) => boolean

/** The IP address that a request comes from, as far as this server can know it. */
export type AddressOf = (c: AppContext) => string | undefined

/** What the routes share. */
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
}

export interface Operation {
  readonly needs: Need
  /**
   * Whether a key for one run is let in where the path names no run: the handler then keeps it to that run. Where the path
   * names one, it must be the key's.
   */
  readonly oneRun?: 'handled'
  /** `events` where the answer goes on for as long as somebody watches. */
  readonly answer?: 'events'
  readonly describe: DescribeRouteOptions
  readonly handler: Handler<AppEnv>
}
