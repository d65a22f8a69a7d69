/** The HTTP application, on no platform in particular: middlewares, resources, errors. */
import { Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { requestId } from 'hono/request-id'
import { type Defer, Keyring } from './access/keyring.ts'
import { Quotas } from './access/quotas.ts'
import { type ControlStore, LOCAL_TENANT } from './access/records.ts'
import { McbError } from './core/errors.ts'
import { type Bounds, DEFAULT_BOUNDS, DEFAULT_LIMITS, type Limits } from './core/limits.ts'
import { oneLine, reportLine } from './core/log-text.ts'
import { withoutKeys } from './core/redaction.ts'
import { LocalBench } from './core/summary/bench.ts'
import { type Diagnostics, diagnosticsOf } from './core/summary/diagnostics.ts'
import { Summaries } from './core/summary/summaries.ts'
import { Workshop } from './core/summary/workshop.ts'
import { keyedAccess, openAccess } from './http/access.ts'
import { type AuditEntry, auditTo } from './http/audit.ts'
import { readStandardBody } from './http/body.ts'
import { BodyBudget } from './http/body-budget.ts'
import { openStandardBody } from './http/body-stream.ts'
import { compressed } from './http/compression.ts'
import type { AddressOf, AppContext, AppEnv, IsLocal, OpenBody, ReadBody, WhenAnswered } from './http/context.ts'
import { counted } from './http/counted.ts'
import { announceLength } from './http/head.ts'
import { CORS_HEADERS, setHeaders } from './http/headers.ts'
import { leadBrowsers } from './http/lead-browsers.ts'
import type { Management } from './http/management.ts'
import type { Meter } from './http/meter.ts'
import { metered } from './http/metered.ts'
import { misdirected } from './http/misdirected.ts'
import { mount, RUN_PATH, SHARED_PATH } from './http/mount.ts'
import { OpenAnswers } from './http/open-answers.ts'
import { openApiOf } from './http/openapi/openapi-document.ts'
import type { Resources, Services } from './http/operation.ts'
import type { PageFiles } from './http/page-files.ts'
import { handleErrors, handleNotFound } from './http/problem.ts'
import { aboutRoutes } from './routes/about.ts'
import { chainRoutes } from './routes/chains.ts'
import { checkRoutes } from './routes/checks.ts'
import { docsRoutes } from './routes/docs.ts'
import { drawRoutes } from './routes/draws.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { inZarrRoutes } from './routes/in-zarr.ts'
import { keyRoutes } from './routes/keys.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { netcdfRoutes } from './routes/netcdf.ts'
import { npyRoutes } from './routes/npy.ts'
import { pageRoutes } from './routes/page.ts'
import { runRoutes } from './routes/runs.ts'
import { shareRoutes } from './routes/shares.ts'
import { stanRoutes } from './routes/stan-csv.ts'
import { summaryRoutes } from './routes/summary.ts'
import { tableRoutes } from './routes/tables.ts'
import { tenantRoutes } from './routes/tenants.ts'
import { traceRoutes } from './routes/trace.ts'
import { whoamiRoutes } from './routes/whoami.ts'
import { zarrRoutes } from './routes/zarr.ts'
import type { StoreBackend } from './runs/backend.ts'
import { type Diagnosed, Diagnoses } from './runs/diagnoses.ts'
import { VERSION } from './version.ts'

export { LOCAL_TENANT }

/** Needs of a server with tenants and keys, beside their storage. */
export interface KeysOptions {
  readonly control: ControlStore
  readonly operatorToken: string
  /** Forgets the backend that `openBackend` keeps of a deleted tenant. */
  readonly closeBackend?: (storage: string) => void
  /** Address of a request: failures of keys are counted by it and held up. Without this function, they are not. */
  readonly addressOf?: AddressOf
  /** Takes work that an answer does not wait for, where a platform would cut it off with the answer. */
  readonly defer?: (c: AppContext) => Defer
}

export interface AppOptions {
  /** Opens the backend of a tenant. Called for every request: keep what it opens. */
  readonly openBackend: (tenant: string) => StoreBackend
  /** Without it there are no keys: everybody is the one tenant `local`. */
  readonly keys?: KeysOptions
  /** Origins of web pages that may send requests; `*` is all. */
  readonly origins?: readonly string[]
  /**
   * Names under which this server is reached, beside addresses, those of loopback and that of `publicUrl`. Requests for any
   * other host are refused, and so are pages of other origins than its own and `origins`. For a server without keys.
   */
  readonly hosts?: readonly string[]
  /** Address under which this server is reached, for links; that of the request when absent. */
  readonly publicUrl?: string
  readonly limits?: Limits
  /** Bounds on all that is held at a time for callers. */
  readonly bounds?: Bounds
  /** A platform's shorter way to the bytes of a body. */
  readonly readBody?: ReadBody
  /** A platform's shorter way to the pieces of a body that is a stream. */
  readonly openBody?: OpenBody
  /** A platform's way to tell that an answer has left; without it, one that is no stream counts as sent when it is made. */
  readonly whenAnswered?: WhenAnswered
  /** Budget of memory for bodies; one of its own by default. */
  readonly bodies?: BodyBudget
  /** Counts of open answers; those of this server alone by default. */
  readonly openAnswers?: OpenAnswers
  /** Sees every request and its answer, for a log. */
  readonly observe?: MiddlewareHandler<AppEnv>
  /** Measures requests, and answers /metrics; without it there is no such route. */
  readonly meter?: Meter
  /** Tells callers of this machine, who may read /metrics where there are no keys; nobody is one by default. */
  readonly isLocal?: IsLocal
  /** Refuses writes while there is too little space. @throws McbError `storage_unavailable` */
  readonly requireSpace?: () => void
  /** Computes summaries of runs; in the thread of the requests by default. */
  readonly summaries?: Summaries
  /** A platform's way to compute summaries and checks; by `summaries` when absent. */
  readonly diagnostics?: Diagnostics
  /** Runs of which diagnostics are kept: by default also those that somebody watches, behind all requests. */
  readonly diagnosed?: Diagnosed
  /** Learns of defects and of storage that fails; the client is told only their code. */
  readonly report?: (requestId: string, error: unknown) => void
  /** Learns of every change of tenants and keys. */
  readonly audit?: (entry: AuditEntry) => void
  /** The files of the page at /ui/; without them, that address says that they are missing. */
  readonly page?: PageFiles
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const RESOURCES: Resources = {
  ...healthRoutes,
  ...runRoutes,
  ...aboutRoutes,
  ...chainRoutes,
  ...drawRoutes,
  ...stanRoutes,
  ...inZarrRoutes,
  ...summaryRoutes,
  ...checkRoutes,
  ...traceRoutes,
  ...zarrRoutes,
  ...netcdfRoutes,
  ...eventRoutes,
  ...tableRoutes,
  ...npyRoutes,
  ...shareRoutes,
  ...whoamiRoutes,
  ...keyRoutes,
  ...tenantRoutes,
  ...pageRoutes,
  ...docsRoutes,
}

export function createApp(options: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  prepare(app, options)
  app.use('/', leadBrowsers)
  mount(app, servicesOf(options), options.meter === undefined ? RESOURCES : { ...RESOURCES, ...metricsRoutes })
  return app
}

/** Options of what happens before and after handlers. */
type Surroundings = Pick<AppOptions, 'meter' | 'observe' | 'hosts' | 'origins' | 'publicUrl' | 'report'>

/** The application of a server that has no storage yet: everything is 503, so that callers come again. */
export function createStartingApp(options: Omit<Surroundings, 'report'>): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  prepare(app, { ...options, report: () => {} })
  app.all('*', () => {
    throw new McbError('storage_unavailable', 'the server is starting: it opens its storage; try again', {
      retryAfter: 1,
    })
  })
  return app
}

/** Adds everything that happens before and after handlers. */
function prepare(app: Hono<AppEnv>, options: Surroundings): void {
  const { meter, observe, hosts, origins = [], publicUrl, report = toConsole } = options
  if (meter !== undefined) app.use(metered(meter))
  app.use(requestId())
  if (observe !== undefined) app.use(observe)
  app.use(setHeaders)
  if (hosts !== undefined) app.use(misdirected({ hosts, origins, ...(publicUrl !== undefined && { publicUrl }) }))
  if (origins.length > 0) app.use(cors({ ...CORS_HEADERS, origin: origins.includes('*') ? '*' : [...origins] }))
  app.use(announceLength)
  compressAnswers(app)
  app.onError(handleErrors(report))
  app.notFound(handleNotFound)
}

/** Bytes that a new connection sends without waiting, about (RFC 6928): a document of no more gains little by compression. */
const FEW_PACKETS = 14_600

/** Compresses answers of text, by their addresses. */
function compressAnswers(app: Hono<AppEnv>): void {
  for (const path of ['/v1/runs', '/openapi.json']) app.use(path, compressed())
  for (const path of [RUN_PATH, SHARED_PATH]) {
    for (const document of ['', '/chains']) app.use(path + document, compressed())
    app.use(`${path}/about`, compressed('strong'))
    for (const door of ['summary', 'checks', 'trace']) app.get(`${path}/${door}`, compressed())
    for (const table of ['summary', 'draws']) app.get(`${path}/${table}.csv`, compressed())
    for (const form of ['', '/ragged'])
      app.get(`${path}${form}/data.zarr/:path{.*zarr\\.json}`, compressed('weak', FEW_PACKETS))
  }
  app.get('/v1/runs/:rid/chains/:chain/stan.csv', compressed())
  // The answer that carries a new key is not among them: a secret is not compressed beside text that a client chose.
  for (const path of ['/v1/tenants', '/v1/keys']) app.get(path, compressed())
}

function servicesOf(options: AppOptions): Services {
  const {
    openBackend,
    limits = DEFAULT_LIMITS,
    bounds = DEFAULT_BOUNDS,
    readBody = readStandardBody,
    openBody = openStandardBody,
    whenAnswered = () => false,
    bodies = new BodyBudget({ all: bounds.bodiesBytes, tenant: bounds.tenantBodiesBytes }),
    openAnswers = new OpenAnswers(bounds),
    diagnosed = 'watched',
    now = Date.now,
    summaries = new Summaries(new Workshop(new LocalBench())),
    diagnostics = diagnosticsOf(summaries, now),
  } = options
  const management = managementOf(options, limits, now)
  return {
    limits,
    bounds,
    readBody,
    openBody,
    bodies,
    documents: new BodyBudget({ all: bounds.documentsBytes, tenant: bounds.documentsBytes / 2 }),
    whenAnswered,
    authorize: counted(authorizeWith(options, management), openAnswers, whenAnswered),
    quotas: new Quotas(now),
    diagnoses: new Diagnoses(diagnostics, diagnosed),
    management,
    openBackend,
    meter: options.meter,
    requireSpace: options.requireSpace ?? (() => {}),
    version: VERSION,
    page: options.page,
    openApi: () => openApiOf({ ...RESOURCES, ...metricsRoutes }, VERSION),
  }
}

function managementOf(
  { keys, publicUrl, audit = auditToConsole }: AppOptions,
  limits: Limits,
  now: () => number,
): Management | undefined {
  if (keys === undefined) return undefined
  const { control, closeBackend = () => {} } = keys
  return {
    control,
    keyring: new Keyring(control, now),
    audit: auditTo(audit, now),
    now,
    limits,
    closeBackend,
    ...(publicUrl !== undefined && { publicUrl }),
  }
}

function authorizeWith(
  { keys, openBackend, isLocal = () => false }: AppOptions,
  management: Management | undefined,
): Services['authorize'] {
  if (keys === undefined || management === undefined) return openAccess(() => openBackend(LOCAL_TENANT), isLocal)
  const { operatorToken, addressOf = () => undefined, defer = quietly } = keys
  const { keyring, now } = management
  return keyedAccess({ keyring, operatorToken, openBackend, now, addressOf, defer })
}

const toConsole = (id: string, error: unknown) => console.error(reportLine(id, error))

const auditToConsole = (entry: AuditEntry) => console.log(oneLine(withoutKeys(JSON.stringify({ audit: entry }))))

/** A failure to note when a key was used is nobody's concern. */
const quietly = (): Defer => (work) => void work.catch(() => undefined)
