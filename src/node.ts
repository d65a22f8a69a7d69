/** The embedded default: the application on Node, with its draws in a SQLite file. */
import { parseArgs } from 'node:util'
import { accessSettings, isLoopback } from './access/settings.ts'
import { sweepTenants } from './access/sweep.ts'
import { createApp } from './app.ts'
import { boundsOf } from './core/limit-settings.ts'
import { describeError } from './core/log-text.ts'
import { readNodeBody } from './node/body.ts'
import { clientAddresses } from './node/client-address.ts'
import { LOG_FORMS, Log } from './node/log.ts'
import { makeFolder } from './node/make-folder.ts'
import { reportTo } from './node/report.ts'
import { type Listening, listen, whenNodeAnswered } from './node/server.ts'
import { endInTurn } from './node/stop.ts'
import { openStorage, STORAGES, type Storage, type StorageKind } from './node/storage.ts'
import { VERSION } from './version.ts'

const HELP = `McBackend Edge: keeps the draws of MCMC runs.

usage: npm start    (or: node src/node.ts; where it is installed: npx mcbackend-edge)

  --help       this text
  --version    the version

environment
  PORT           port to listen on; 0 picks a free one   [8787]
  HOST           address to listen on                    [127.0.0.1]
  MCB_DATA_DIR   folder of the SQLite file               [./data]
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

/** Result of reading settings; ends the process when they are wrong, since the user is to mend them. */
function orFail<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    return fail(describeFailure(error))
  }
}

function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Settings in the environment. */
function readSettings() {
  // A variable that is set to nothing is not set.
  const set = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
  const {
    PORT = '8787',
    HOST = '127.0.0.1',
    MCB_DATA_DIR = './data',
    MCB_STORAGE = 'sqlite',
    MCB_LOG = 'requests',
  } = set
  const port = Number(PORT)
  if (!Number.isInteger(port) || port < 0 || port > 65535) fail(`PORT must be a number from 0 to 65535, not "${PORT}".`)
  const kind = STORAGES.find((name) => name === MCB_STORAGE)
  if (kind === undefined) fail(`MCB_STORAGE must be one of ${STORAGES.join(', ')}, not "${MCB_STORAGE}".`)
  const form = LOG_FORMS.find((name) => name === MCB_LOG)
  if (form === undefined) fail(`MCB_LOG must be one of ${LOG_FORMS.join(', ')}, not "${MCB_LOG}".`)
  const access = orFail(() => accessSettings(process.env, isLoopback(HOST) ? 'this machine' : 'others'))
  const bounds = orFail(() => boundsOf(process.env))
  const addressOf = orFail(() => clientAddresses(set.MCB_TRUST_PROXY))
  return { host: HOST, port, folder: MCB_DATA_DIR, kind, form, access, bounds, addressOf }
}

async function openOrFail(kind: StorageKind, folder: string, notice: (sentence: string) => void): Promise<Storage> {
  try {
    if (kind === 'sqlite' || kind === 'clickhouse') makeFolder(folder)
  } catch (error) {
    fail(`the folder "${folder}" cannot be made (${describeFailure(error)}); set MCB_DATA_DIR to one that can.`)
  }
  return openStorage(kind, folder, notice).catch((error: unknown) => fail(`${describeFailure(error)}.`))
}

async function main(): Promise<void> {
  const text = askedFor()
  if (text !== undefined) {
    console.log(text)
    return
  }
  const { host, port, folder, kind, form, access, bounds, addressOf } = readSettings()
  const { operatorToken, origins, publicUrl, hosts } = access
  const log = new Log({ form, secrets: operatorToken === undefined ? [] : [operatorToken] })
  const storage = await openOrFail(kind, folder, (sentence) => log.say(sentence))
  const { openBackend, closeBackend, control } = storage
  const app = createApp({
    openBackend,
    ...(operatorToken !== undefined && { keys: { control, operatorToken, closeBackend, addressOf } }),
    origins,
    ...(hosts !== undefined && { hosts: [...hosts, host] }),
    ...(publicUrl !== undefined && { publicUrl }),
    audit: (entry) => log.audit(entry),
    bounds,
    readBody: readNodeBody,
    whenAnswered: whenNodeAnswered,
    ...(log.observe !== undefined && { observe: log.observe }),
    report: reportTo((id, told) => log.report(id, told), Date.now),
  })
  const server = await listen(app, host, port, { ...bounds, refused: log.refused }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') fail(`port ${port} of ${host} is taken; set PORT to another one.`)
      fail(`cannot listen on ${host}:${port} (${error.message}); set HOST and PORT.`)
    },
  )
  log.takeConsole()
  const keys = operatorToken === undefined ? 'no keys' : 'with keys'
  log.say(`McBackend Edge listening on ${server.url} (storage: ${kind}; ${keys}; docs: ${server.url}/docs)`)
  if (operatorToken !== undefined) sweepAgainAndAgain(storage, log)
  else if (!isLoopback(host)) {
    log.say('MCB_AUTH=open: whoever reaches this address reads, writes and deletes everything.')
  }
  endWith(storage, server, log)
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
