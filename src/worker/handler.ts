/** A worker: the application over run objects or D1, the parts of it that an isolate keeps, and its log. */

import type { D1Database } from '@cloudflare/workers-types'
import type { ExecutionContext, Hono } from 'hono'
import { type AccessSettings, type AccessVariables, accessSettings } from '../access/settings.ts'
import { SqlControl } from '../access/sql/sql-control.ts'
import { sweepTenants } from '../access/sweep.ts'
import { createApp } from '../app.ts'
import { clickHouseOptions } from '../backends/clickhouse/clickhouse-settings.ts'
import { ClickHouseStore } from '../backends/clickhouse/clickhouse-store.ts'
import { insertsOf } from '../backends/clickhouse/commit.ts'
import { WebConnection } from '../backends/clickhouse/web-connection.ts'
import { DurableStore } from '../backends/durable/durable-store.ts'
import { FormerCatalogue } from '../backends/durable/former-catalogue.ts'
import type { RunNamespace } from '../backends/durable/protocol.ts'
import type { ShardNamespace } from '../backends/durable/shard-protocol.ts'
import { ShardedCatalogue } from '../backends/durable/sharded-catalogue.ts'
import { purgeHidden, SqliteStore } from '../backends/sqlite/sqlite-store.ts'
import { McbError } from '../core/errors.ts'
import { type LimitVariables, limitsOf, workerBoundsOf } from '../core/limit-settings.ts'
import type { Limits } from '../core/limits.ts'
import { describeError, reportLine } from '../core/log-text.ts'
import { LruMap } from '../core/lru.ts'
import { PROBLEM_TYPE } from '../core/media-types.ts'
import type { OpenStore } from '../core/store.ts'
import type { AppContext, AppEnv } from '../http/context.ts'
import { StoreBackend } from '../runs/backend.ts'
import { D1Driver } from '../sql/d1.ts'
import { drain, readWorkersBody } from './body.ts'
import { toWorkersResponse, withClientEncoding } from './http.ts'
import { IsolateDiagnostics } from './isolate-diagnostics.ts'
import { type AssetFiles, pageOf } from './page.ts'

/**
 * Looks that a stream of events takes at a run before its reader has to connect again: the free plan allows a request 50
 * queries of D1, of which a look takes two, and the beginning of the stream some ten.
 *
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const LOOKS_PER_WATCH = 19

/** Tenants whose backends an isolate keeps at a time. */
const BACKENDS = 1000

/** Bindings and variables of wrangler.toml. */
export interface Env extends LimitVariables, AccessVariables {
  readonly DB: D1Database
  /** The run objects; where they are not bound, D1 holds the draws as well. */
  readonly RUNS?: RunNamespace
  /** The list of the runs that lie in run objects. */
  readonly CATALOGUE?: ShardNamespace
  /** The page's files; without them, /ui/ says that they are missing. */
  readonly ASSETS?: AssetFiles
  /** `clickhouse`: ClickHouse holds everything; see docs/clickhouse.md. */
  readonly MCB_STORAGE?: string
  readonly CLICKHOUSE_URL?: string
  readonly CLICKHOUSE_USER?: string
  /** A secret, never a variable of wrangler.toml. */
  readonly CLICKHOUSE_PASSWORD?: string
  readonly CLICKHOUSE_DATABASE?: string
  readonly CLICKHOUSE_INSERTS?: string
}

export interface Worker {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>
  /** Completes deletions that were cut off, and the move of D1's list of runs. */
  scheduled(event: unknown, env: Env): Promise<void>
}

/** `extend` may mount further routes. */
export function createWorker(extend: (app: Hono<AppEnv>) => void = () => {}): Worker {
  let app: Hono<AppEnv> | undefined

  const open = (env: Env) => {
    const opened = openApp(env)
    extend(opened)
    return opened
  }

  const answer = async (incoming: Request, env: Env, context: ExecutionContext) => {
    try {
      app ??= open(env)
    } catch (error) {
      if (!(error instanceof NotSetUp)) throw error
      console.error(`mcbackend-edge: ${error.message}`)
      return notSetUp()
    }
    const request = withClientEncoding(incoming)
    const response = await app.fetch(request, env, context)
    await drain(request)
    return toWorkersResponse(response, (error) =>
      console.error(reportLine(response.headers.get('X-Request-Id') ?? '-', error)),
    )
  }

  return {
    fetch(request, env, context) {
      const answered = answer(request, env, context)
      // A client that goes away does not cut a write off in the middle, nor a deletion.
      context.waitUntil(answered.catch(() => undefined))
      return answered
    },
    async scheduled(_event, env) {
      const driver = new D1Driver(env.DB)
      if (env.MCB_STORAGE !== 'clickhouse') await purgeHidden(driver)
      const limits = limitsOf(env)
      const openStore = storesOf(env, limits)
      const { RUNS, CATALOGUE, MCB_STORAGE } = env
      if (MCB_STORAGE !== 'clickhouse' && RUNS && CATALOGUE) await moveLists(driver, CATALOGUE)
      const openBackend = (tenant: string) => new StoreBackend(openStore(tenant), limits)
      await sweepTenants({ control: new SqlControl(driver), openBackend, closeBackend: () => {} }, Date.now())
    },
  }
}

/** An application with the settings of `env`, and the backends that it keeps. @throws NotSetUp */
function openApp(env: Env): Hono<AppEnv> {
  const limits = limitsOf(env)
  const openStore = storesOf(env, limits)
  const { operatorToken, origins, publicUrl, hosts } = settingsOf(env)
  const backends = new LruMap<string, StoreBackend>(BACKENDS)
  const openBackend = (tenant: string) => {
    let backend = backends.get(tenant)
    if (backend === undefined) {
      backend = new StoreBackend(openStore(tenant), limits, { looksPerWatch: LOOKS_PER_WATCH })
      backends.set(tenant, backend)
    }
    return backend
  }
  const keys = operatorToken !== undefined && {
    control: new SqlControl(new D1Driver(env.DB)),
    operatorToken,
    closeBackend: (tenant: string) => backends.delete(tenant),
    // Cloudflare replaces what a client sends under this name.
    addressOf: (c: AppContext) => c.req.header('CF-Connecting-IP'),
    defer: (c: AppContext) => (work: Promise<unknown>) => c.executionCtx.waitUntil(work.catch(() => undefined)),
  }
  return createApp({
    openBackend,
    ...(keys !== false && { keys }),
    origins,
    ...(hosts !== undefined && { hosts }),
    ...(publicUrl !== undefined && { publicUrl }),
    limits,
    bounds: setUp(() => workerBoundsOf(env)),
    readBody: readWorkersBody,
    ...(env.ASSETS !== undefined && { page: pageOf(env.ASSETS) }),
    diagnostics: new IsolateDiagnostics(),
    // Nothing runs behind a request for long.
    diagnosed: 'asked',
  })
}

class NotSetUp extends Error {}

function settingsOf(env: Env): AccessSettings {
  return setUp(() => accessSettings(env, 'others'))
}

/** Reads settings; an error in them is told to the operator, since clients can do nothing about it. */
function setUp<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new NotSetUp(error instanceof Error ? error.message : String(error))
  }
}

/** The answer of a server that cannot start, also to /healthz; its log says what is missing. */
function notSetUp(): Response {
  const error = new McbError('storage_unavailable', 'this server is not set up yet; its log says what is missing')
  const { code, status, title, message: detail } = error
  const body = { type: `urn:mcbackend:error:${code}`, title, status, detail, code }
  const headers = { 'Content-Type': PROBLEM_TYPE, 'Retry-After': '60', 'Cache-Control': 'no-store' }
  return new Response(JSON.stringify(body), { status, headers })
}

const NO_CATALOGUE =
  'the list of runs has no binding; add to wrangler.toml: [[durable_objects.bindings]] name = "CATALOGUE", ' +
  'class_name = "CatalogueObject", and [[migrations]] tag = "v2", new_sqlite_classes = ["CatalogueObject"]'

/** Moves what D1 still lists, for tenants whose list nobody has asked for and after objects of the version before wrote to it. */
async function moveLists(driver: D1Driver, shards: ShardNamespace): Promise<void> {
  const catalogue = new ShardedCatalogue(shards)
  for (const tenant of await new FormerCatalogue(driver).tenants()) {
    try {
      await catalogue.adopt(tenant)
    } catch (error) {
      console.error(
        `D1's list of runs of tenant "${tenant}" could not be moved, and is tried again: ${describeError(error)}`,
      )
    }
  }
}

/** The stores of the draws: ClickHouse where that is chosen, run objects where those are bound, else D1. */
function storesOf(env: Env, limits: Limits): OpenStore {
  const { DB, RUNS, CATALOGUE } = env
  if (env.MCB_STORAGE === 'clickhouse') return clickHouseStoresOf(env, limits)
  if (RUNS === undefined) {
    const driver = new D1Driver(DB)
    return (tenant) => new SqliteStore(driver, tenant, limits)
  }
  if (CATALOGUE === undefined) throw new NotSetUp(NO_CATALOGUE)
  const catalogue = new ShardedCatalogue(CATALOGUE)
  return (tenant) => new DurableStore(RUNS, catalogue, tenant)
}

function clickHouseStoresOf(env: Env, limits: Limits): OpenStore {
  const connection = new WebConnection(setUp(() => clickHouseOptions(env)))
  // Here requests do not work for each other.
  const chosen = setUp(() => insertsOf(env.CLICKHOUSE_INSERTS))
  const inserts = chosen === 'gather' ? 'server' : chosen
  return (tenant) => new ClickHouseStore(connection, tenant, { limits, inserts })
}
