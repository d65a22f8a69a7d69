/** The embedded default: the application on Node, with its draws in a SQLite file. */
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createApp } from './app.ts'
import { readNodeBody } from './node/body.ts'
import { RequestLog } from './node/log.ts'
import { listen } from './node/server.ts'
import { openStorage, STORAGES } from './node/storage.ts'

const HELP = `McBackend Edge: keeps the draws of MCMC runs.

usage: npm start    (or: node src/node.ts)

environment
  PORT           port to listen on; 0 picks a free one   [8787]
  HOST           address to listen on                    [127.0.0.1]
  MCB_DATA_DIR   folder of the SQLite file               [./data]
  MCB_STORAGE    ${STORAGES.join(', ')}        [sqlite]
  MCB_LOG        requests (a line a request) or quiet    [requests]

for MCB_STORAGE=clickhouse (docs/clickhouse.md)
  CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE [mcbackend]
  CLICKHOUSE_INSERTS   gather small inserts, or each by itself: replicated tables need "each"   [gather]

SIGTERM or SIGINT stops it when what it has accepted is stored.`

/** Ends the process with one sentence that says what to do. */
function fail(sentence: string): never {
  console.error(`mcbackend-edge: ${sentence}`)
  process.exit(1)
}

function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    console.log(HELP)
    return
  }
  const { PORT = '8787', HOST = '127.0.0.1', MCB_DATA_DIR = './data', MCB_STORAGE = 'sqlite', MCB_LOG } = process.env
  const port = Number(PORT)
  if (!Number.isInteger(port) || port < 0 || port > 65535) fail(`PORT must be a number from 0 to 65535, not "${PORT}".`)
  const kind = STORAGES.find((name) => name === MCB_STORAGE)
  if (kind === undefined) fail(`MCB_STORAGE must be one of ${STORAGES.join(', ')}, not "${MCB_STORAGE}".`)
  try {
    if (kind === 'sqlite') mkdirSync(MCB_DATA_DIR, { recursive: true })
  } catch (error) {
    fail(`the folder "${MCB_DATA_DIR}" cannot be made (${describeFailure(error)}); set MCB_DATA_DIR to one that can.`)
  }
  const storage = await openStorage(kind, MCB_DATA_DIR).catch((error: unknown) =>
    fail(
      kind === 'clickhouse'
        ? `${describeFailure(error)}.`
        : `the folder "${MCB_DATA_DIR}" cannot be written (${describeFailure(error)}); set MCB_DATA_DIR to one that can.`,
    ),
  )
  const log = new RequestLog()
  const app = createApp({
    openBackend: storage.openBackend,
    readBody: readNodeBody,
    ...(MCB_LOG === 'quiet' ? {} : { observe: log.middleware }),
    report: (id, error) => console.error(new Date().toISOString(), id, error),
  })
  const server = await listen(app, HOST, port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') fail(`port ${port} of ${HOST} is taken; set PORT to another one.`)
    fail(`cannot listen on ${HOST}:${port} (${error.message}); set HOST and PORT.`)
  })
  console.log(`McBackend Edge listening on ${server.url} (storage: ${kind}; docs: ${server.url}/docs)`)

  // A supervisor starts it again; the file holds everything that was acknowledged.
  void storage.failed?.then((error) => fail(`the storage has failed (${error.message}); start the server again.`))
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.write(`${new Date().toISOString()} ${signal}: finishing what was accepted`)
    const closed = server.close()
    storage.endWatches()
    await closed
    await storage.close()
    log.flush()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))
}

await main()
