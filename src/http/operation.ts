/** An operation of a resource: its declaration, and the services that its handler is given. */
import type { MiddlewareHandler } from 'hono'
import type { Quotas } from '../access/quotas.ts'
import type { Bounds, Limits } from '../core/limits.ts'
import type { StoreBackend } from '../runs/backend.ts'
import type { Diagnoses } from '../runs/diagnoses.ts'
import type { BodyBudget } from './body-budget.ts'
import type { AppContext, AppEnv, OpenBody, ReadBody, WhenAnswered } from './context.ts'
import type { Management } from './management.ts'
import type { Meter } from './meter.ts'
import type { Description, OpenApi } from './openapi/types.ts'
import type { PageFiles } from './page-files.ts'

/**
 * The need of an operation: `nothing` needs no key, and for `key` any key will do; the others are scopes of a key, or the
 * operator's token. `operator or this machine` lets programs of this machine in where there are no keys.
 */
export type Need =
  | 'nothing'
  | 'key'
  | 'read'
  | 'write'
  | 'admin'
  | 'operator'
  | 'operator or admin'
  | 'operator or this machine'

/** One method of one resource. */
export interface Operation {
  readonly needs: Need
  /**
   * `handled` lets in a key for one run although the path names no run: the handler then keeps it to that run. A run that the
   * path names must be the key's in any case.
   */
  readonly oneRun?: 'handled'
  /** `events` where the answer goes on for as long as somebody watches. */
  readonly answer?: 'events'
  /** Tokens of the tenant's rate that a request takes; 1 when absent. */
  readonly cost?: (c: AppContext) => number
  /** `stream` where the body goes on for as long as its sender wishes. */
  readonly body?: 'stream'
  /** Description in /openapi.json; `hidden` for an operation that is no part of the API. */
  readonly describe: Description | 'hidden'
  readonly handler: (c: AppContext, services: Services) => Response | Promise<Response>
}

export const METHODS = ['get', 'put', 'post', 'patch', 'delete', 'propfind'] as const
export type Method = (typeof METHODS)[number]

/** Operations by path, as the router writes it, and method. */
export type Resources = Readonly<Record<string, { readonly [M in Method]?: Operation }>>

/** Services that all handlers share. */
export interface Services {
  readonly limits: Limits
  readonly readBody: ReadBody
  readonly openBody: OpenBody
  readonly bodies: BodyBudget
  /** Budget of memory for whole documents that are answers and have not left yet. */
  readonly documents: BodyBudget
  readonly whenAnswered: WhenAnswered
  readonly bounds: Bounds
  readonly quotas: Quotas
  /** Computes summaries and checks of runs, for all tenants, and keeps what lists show of them. */
  readonly diagnoses: Diagnoses
  /** Gives a request its caller and that caller's backend: the one place where that happens. */
  readonly authorize: (
    operation: Pick<Operation, 'needs' | 'oneRun' | 'answer' | 'cost' | 'body'>,
  ) => MiddlewareHandler<AppEnv>
  /** Management of tenants and keys; absent where there are none. */
  readonly management: Management | undefined
  /** The backend under a tenant's name in the storage; handlers have that of their caller in the context. */
  readonly openBackend: (storage: string) => StoreBackend
  /** Measures requests; absent where nothing is measured. */
  readonly meter: Meter | undefined
  /** Refuses what would make the data grow. @throws McbError `storage_unavailable` while there is too little space */
  readonly requireSpace: () => void
  /** The files of the page at /ui/; absent where it was not built. */
  readonly page: PageFiles | undefined
  /** Version of this software. */
  readonly version: string
  /** Makes the description of all routes. */
  readonly openApi: () => OpenApi
}
