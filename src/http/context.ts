/** What a request carries through middlewares to its handler, and what a platform adds to it. */
import type { Context } from 'hono'
import type { KeyRecord, Tenant } from '../access/records.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { BodyHold } from './body-budget.ts'
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

export type AppContext = Context<AppEnv>

/** Who sends a request: the operator, the holder of a key, or anyone where there are no keys. */
export type Caller =
  | { readonly kind: 'operator' }
  | { readonly kind: 'key'; readonly key: KeyRecord; readonly tenant: Tenant }
  | { readonly kind: 'anyone' }

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
