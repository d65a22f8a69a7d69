/** Values that a request carries through middlewares to its handler, and functions that a platform gives. */
import type { Context } from 'hono'
import type { KeyRecord, Tenant } from '../access/records.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { BodyHold } from './body-budget.ts'
import type { RouteMeter } from './meter.ts'
import type { Place } from './open-answers.ts'

export interface AppEnv {
  Variables: {
    requestId: string
    caller: Caller
    /** Resolves to true while the caller would still be let in; for answers that take long. */
    stillAllowed: () => Promise<boolean>
    /** The run of the share key in the path, where there is one. */
    sharedRun: string
    /** The backend of the request's tenant; it can reach nothing else. */
    backend: StoreBackend
    /** The body's share of the budget, once it is being read. */
    hold: BodyHold
    /** The request's place among the open answers of its tenant; absent where these are not counted. */
    place: Place
    /** The meter of the request's route; absent where nothing is measured. */
    route: RouteMeter
  }
}

export type AppContext = Context<AppEnv>

/** The sender of a request: the operator, the holder of a key, or anyone where there are no keys. */
export type Caller =
  | { readonly kind: 'operator' }
  | { readonly kind: 'key'; readonly key: KeyRecord; readonly tenant: Tenant }
  | { readonly kind: 'anyone' }

/** Conditions for reading a body. */
export interface BodyWish {
  /** Bytes beyond which it is refused with `payload_too_large`. */
  readonly limit: number
  /** Budget for the bytes, which are taken from it before they are allocated; the body is given up when it is cut. */
  readonly hold: BodyHold
  /** Milliseconds without a byte after which it is given up. */
  readonly stallMs: number
}

/** Reads a request's body, by the way of a platform. */
export type ReadBody = (c: AppContext, wish: BodyWish) => Promise<Uint8Array<ArrayBuffer>>

/** A body that is looked at while it comes, for as long as its sender wishes. */
export interface BodyStream {
  /**
   * The next bytes, which the reader may keep until it asks for more; undefined at the end. Nothing is asked of the sender before
   * the first call, and not much between two.
   *
   * @throws McbError `invalid_parameter` when the body breaks off, `storage_unavailable` when the server stops
   */
  next(): Promise<Uint8Array | undefined>
  /** Leaves the rest of the body where it is. */
  leave(): void
}

/** Opens a request's body as a stream, by the way of a platform. */
export type OpenBody = (c: AppContext) => BodyStream

/** Calls `ended` when the answer to a request has left, or never will; false where a platform does not learn of that. */
export type WhenAnswered = (c: AppContext, ended: () => void) => boolean

/** True for a request that a program of this machine has sent, as far as this server can know it. */
export type IsLocal = (c: AppContext) => boolean

/** The IP address that a request comes from, as far as this server can know it. */
export type AddressOf = (c: AppContext) => string | undefined
