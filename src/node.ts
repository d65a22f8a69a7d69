/** The embedded default: the application on Node, with its draws in a folder. */
import { parseArgs } from 'node:util'
import { isLoopback } from './access/settings.ts'
import { sweepTenants } from './access/sweep.ts'
import { createApp, createStartingApp } from './app.ts'
import type { McbError } from './core/errors.ts'
import { describeError } from './core/log-text.ts'
import type { Summaries } from './core/summary/summaries.ts'
import { BodyBudget } from './http/body-budget.ts'
import { OpenAnswers } from './http/open-answers.ts'
import type { PageFiles } from './http/page-files.ts'
import { PAGE_PLACE } from './http/page-headers.ts'
import { readNodeBody } from './node/body.ts'
import { openNodeBody } from './node/body-stream.ts'
import { summariesBeside } from './node/diagnostics-thread/summaries.ts'
import { FreeDisk } from './node/free-disk.ts'
import { type Fetching, Front } from './node/front.ts'
import { isLocalCaller } from './node/local-caller.ts'
import { Log } from './node/log.ts'
import { makeFolder } from './node/make-folder.ts'
import { NodeMeter } from './node/metrics.ts'
import { createMetricsApp, type MetricsSettings } from './node/metrics-server.ts'
import { readPage } from './node/page.ts'
import { reportTo } from './node/report.ts'
import { type Listening, type ListenOptions, listen, whenNodeAnswered } from './node/server.ts'
import { readSettings, type Settings } from './node/settings.ts'
import { endInTurn } from './node/stop.ts'
import { filesIn, openStorage, STORAGES, type Storage, type StorageKind } from './node/storage.ts'
import { Tally } from './node/tally.ts'
import { VERSION } from './version.ts'

const HELP = `McBackend Edge: keeps the draws of MCMC runs.

usage: npm start    (or: node src/node.ts; where it is installed: npx mcbackend-edge)

  --help       this text
  --version    the version

environment
  PORT           port to listen on; 0 picks a free one   [8787]
  HOST           address to listen on                    [127.0.0.1]
  MCB_DATA_DIR   folder of the data                      [./data]
  MCB_STORAGE    ${STORAGES.join(', ')}        [sqlite]
  MCB_LOG        requests (a line each), json (the same as JSON) or quiet (changes of keys and failures alone)
                 [requests]
  MCB_AUTH       open: whoever reaches the port may do all; keys: tenants with keys
                 [open where HOST is this machine alone, otherwise keys]
  MCB_OPERATOR_TOKEN   with keys: the secret of who manages tenants, at least 32 characters
  MCB_TRUST_PROXY      with keys: how many proxies of yours are in front, or their addresses, so that unknown keys are
                       counted by the address in X-Forwarded-For   [none: by that of the connection]
  MCB_HOSTS            without keys: names of this server, with commas between; addresses, localhost and the
                       name in MCB_PUBLIC_URL need not be listed   [none]
  MCB_CORS_ORIGINS     origins of web pages that may send requests, with commas between   [none]
  MCB_PUBLIC_URL       address that links to shared runs begin with   [that of the request]

for who operates it (docs/operate.md)
  MCB_MIN_FREE_MIB     free space of the data's disk below which writes are refused with 503; 0 for none   [1024]
  MCB_METRICS          off: no figures at /metrics, which is for the operator's token or, without keys, this machine   [on]
  MCB_METRICS_PORT     a port of its own for /metrics, without a token; 0 picks a free one   [none]
  MCB_METRICS_HOST     address of that port   [127.0.0.1]

what it holds at a time for all callers (docs/security.md)
  MCB_BODIES_MIB         memory of bodies that are being received or stored; beyond it, 503   [512]
  MCB_TENANT_BODIES_MIB  of these, one tenant's, where there are keys                         [256]
  MCB_ANSWERS            answers to reads that are open at a time for one tenant              [256]
  MCB_EVENT_STREAMS      streams of events that are open at a time for one tenant             [1024]
  MCB_STALL_SECONDS      a body without progress, or an answer without a reader, ends         [60]

for MCB_STORAGE=clickhouse (docs/clickhouse.md)
  CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE [mcbackend]
  CLICKHOUSE_INSERTS   who brings small inserts together: gather (this server), server (ClickHouse), or
                       each by itself, which replicated tables need                             [gather]

SIGTERM or SIGINT stops it when what it has accepted is stored.`

/** Ends the process with one sentence that says what to do. */
function fail(sentence: string): never {
  console.error(`mcbackend-edge: ${sentence}`)
  process.exit(1)
}

/** Text that the arguments ask for instead of a start. */
function askedFor(): string | undefined {
  try {
    const options = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } as const
    const { help, version } = parseArgs({ options }).values
    if (help === true) return HELP
    return version === true ? VERSION : undefined
  } catch (error) {
    fail(`${describeFailure(error)}. It takes environment variables; --help lists them.`)
  }
}

/** Milliseconds that a stop waits for requests under way, which are cut off after 10 s, and then for the storage. */
const REQUESTS_MS = 12_000
const STORAGE_MS = 10_000

/** Milliseconds between two looks for rows that deletions of tenants have left. */
const SWEEP_MS = 10 * 60_000

function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Settings of the environment; ends the process when they are wrong, since the user is to mend them. */
function settingsOrFail(): Settings {
  try {
    return readSettings(process.env)
  } catch (error) {
    return fail(describeFailure(error))
  }
}

/** True for a storage with files in the folder of the data. */
function hasFolder(kind: StorageKind): boolean {
  return kind === 'sqlite' || kind === 'clickhouse'
}

async function openOrFail({ kind, folder }: Settings, log: Log, tally: Tally): Promise<Storage> {
  try {
    if (hasFolder(kind)) makeFolder(folder)
  } catch (error) {
    fail(`the folder "${folder}" cannot be made (${describeFailure(error)}); set MCB_DATA_DIR to one that can.`)
  }
  const notice = (sentence: string) => log.say(sentence)
  return openStorage(kind, folder, notice, tally).catch((error: unknown) => fail(`${describeFailure(error)}.`))
}

/** A port to listen on, and the beginning of the variables that choose it. */
interface Place {
  readonly host: string
  readonly port: number
  readonly variables: '' | 'MCB_METRICS_'
}

function cannotListen({ code, message }: NodeJS.ErrnoException, { host, port, variables }: Place): never {
  const name = `${variables}PORT`
  if (code === 'EADDRINUSE') fail(`port ${port} of ${host} is taken; set ${name} to another one.`)
  fail(`cannot listen on ${host}:${port} (${message}); set ${variables}HOST and ${name}.`)
}

function listenOrFail(app: Fetching, place: Place, options: ListenOptions): Promise<Listening> {
  return listen(app, place.host, place.port, options).catch((error) => cannotListen(error, place))
}

/**
 * Listens before there is a storage, so that callers learn that the server starts. Undefined where the port is taken: the
 * server that has it may be about to leave it, together with the folder.
 */
function listenEarly(app: Fetching, place: Place, options: ListenOptions): Promise<Listening | undefined> {
  return listen(app, place.host, place.port, options).catch((error: NodeJS.ErrnoException) =>
    error.code === 'EADDRINUSE' ? undefined : cannotListen(error, place),
  )
}

/** The disk of the data. Draws in ClickHouse take no space of the one that has the keys. */
async function diskOf({ folder, kind, leastFree }: Settings, { reusable }: Storage): Promise<FreeDisk | undefined> {
  if (!hasFolder(kind)) return undefined
  return FreeDisk.watch({ folder, leastFree: kind === 'sqlite' ? leastFree : 0, reusable })
}

type Surroundings = Parameters<typeof createStartingApp>[0] & {
  readonly meter?: NodeMeter
  readonly summaries: Summaries
  readonly page?: PageFiles
}

async function appOf(settings: Settings, storage: Storage, log: Log, surroundings: Surroundings): Promise<Fetching> {
  const { access, addressOf, bounds, folder, kind } = settings
  const { openBackend, closeBackend, control } = storage
  const { operatorToken } = access
  const bodies = new BodyBudget({ all: bounds.bodiesBytes, tenant: bounds.tenantBodiesBytes })
  const openAnswers = new OpenAnswers(bounds)
  const disk = await diskOf(settings, storage)
  const files = hasFolder(kind) ? filesIn(folder) : undefined
  surroundings.meter?.watch({ version: VERSION, storage: kind, bodies, openAnswers, files, disk })
  return createApp({
    openBackend,
    ...(operatorToken !== undefined && { keys: { control, operatorToken, closeBackend, addressOf } }),
    ...surroundings,
    audit: (entry) => log.audit(entry),
    bounds,
    readBody: readNodeBody,
    openBody: openNodeBody,
    whenAnswered: whenNodeAnswered,
    bodies,
    openAnswers,
    isLocal: isLocalCaller,
    ...(disk && { requireSpace: disk.requireSpace }),
    report: reportTo((id, told) => log.report(id, told), Date.now),
  })
}

async function main(): Promise<void> {
  const text = askedFor()
  if (text !== undefined) {
    console.log(text)
    return
  }
  const settings = settingsOrFail()
  const { host, port, kind, metrics } = settings
  const { operatorToken, origins, publicUrl, hosts } = settings.access
  const log = new Log({ form: settings.form, secrets: operatorToken === undefined ? [] : [operatorToken] })
  const meter = metrics.isOn ? new NodeMeter() : undefined
  const surroundings = {
    origins,
    ...(meter && { meter }),
    ...(hosts !== undefined && { hosts: [...hosts, host] }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(log.observe !== undefined && { observe: log.observe }),
  }
  const refused = (error: McbError) => {
    meter?.refused(error.status)
    log.refused(error)
  }
  const place: Place = { host, port, variables: '' }
  const options = { ...settings.bounds, refused }
  const front = new Front(createStartingApp(surroundings))
  const early = await listenEarly(front, place, options)
  const tally = meter?.tally ?? new Tally()
  const storage = await openOrFail(settings, log, tally)
  const page = readPage()
  const summaries = summariesBeside(tally)
  front.lead(await appOf(settings, storage, log, { ...surroundings, summaries, ...(page && { page }) }))
  const server = early ?? (await listenOrFail(front, place, options))
  const figures = meter && (await listenForFigures(metrics, meter, log))
  log.takeConsole()
  const keys = operatorToken === undefined ? 'no keys' : 'with keys'
  log.say(
    `McBackend Edge listening on ${server.url} (${placesOf(server, { page, figures })}; storage: ${kind}; ${keys})`,
  )
  if (operatorToken !== undefined) sweepAgainAndAgain(storage, log)
  else if (!isLoopback(host)) {
    log.say('MCB_AUTH=open: whoever reaches this address reads, writes and deletes everything.')
  }
  endWith(storage, server, log)
}

/** The addresses at which there is something to see. */
function placesOf({ url }: Listening, { page, figures }: { page?: unknown; figures?: Listening | undefined }): string {
  const places = [page === undefined ? 'the page is not built' : `page: ${url}${PAGE_PLACE}`, `docs: ${url}/docs`]
  if (figures !== undefined) places.push(`figures: ${figures.url}/metrics`)
  return places.join('; ')
}

/** Gives the figures on their own port, where that is asked for. */
async function listenForFigures(
  { host, port }: MetricsSettings,
  meter: NodeMeter,
  log: Log,
): Promise<Listening | undefined> {
  if (port === undefined) return undefined
  const app = createMetricsApp(meter, host, (id, error) => log.report(id, error))
  return listenOrFail(app, { host, port, variables: 'MCB_METRICS_' }, {})
}

function sweepAgainAndAgain({ control, openBackend, closeBackend }: Storage, log: Log): void {
  const sweep = () =>
    sweepTenants({ control, openBackend, closeBackend }, Date.now()).catch((error) =>
      log.say(`a deletion goes on later: ${describeError(error)}`),
    )
  void sweep()
  setInterval(sweep, SWEEP_MS).unref()
}

/** Ends the process when its storage has failed, and in order when it is told to. */
function endWith(storage: Storage, server: Listening, log: Log): void {
  // A supervisor starts it again; the file holds everything that was acknowledged.
  void storage.failed?.then(async (error) => {
    log.say(`the storage has failed (${describeError(error)}); start the server again.`)
    await log.end()
    process.exit(1)
  })
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.say(`${signal}: finishing what was accepted`)
    const closed = server.close()
    storage.endWatches()
    const ended = await endInTurn([
      { name: 'the requests', end: () => closed, ms: REQUESTS_MS },
      { name: 'the storage', end: () => storage.close(), ms: STORAGE_MS },
    ])
    if (ended !== undefined) log.say(`${ended}; what was acknowledged is stored.`)
    await log.end()
    if (ended === undefined) process.exit(0)
    // To exit as usual would wait for a thread that may wait for a disk.
    process.kill(process.pid, 'SIGKILL')
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))
}

await main()
