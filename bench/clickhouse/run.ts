/** `npm run bench:clickhouse`: the promises of the ClickHouse storage, measured on the development engine. */
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import { openDatabase, type TestDatabase } from '../../test/support/clickhouse.ts'
import { benchCommand } from '../lib/command.ts'
import type { Figure } from '../lib/figures.ts'
import { type Started, start } from '../lib/server.ts'
import { layoutFigure } from './layouts.ts'
import { ingestFigure, readFigure } from './traffic.ts'
import { diskFigures, manyFigures } from './volume.ts'

const HELP = `usage: npm run bench:clickhouse -- [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      a tenth of the data and shorter turns
  --only NAME  ingest, read, layout, disk or many; may be repeated

Each figure is a ratio between two things that take turns in one run on one engine, each group in a database of its own:
the development engine, or the server that CLICKHOUSE_URL names. Use an idle machine.`

const { scale, only, report, say, finish } = benchCommand(HELP)

type Measure = (database: TestDatabase, engine: NodeConnection) => Promise<readonly Figure[]>

const GROUPS: Readonly<Record<string, Measure>> = {
  ingest: (database, engine) => withApi(database, (api) => ingestFigure(api, engine, scale)),
  read: (database, engine) => withApi(database, (api) => readFigure(api, engine, scale)),
  layout: async (_, engine) => [
    await layoutFigure(engine, scale, 1, 4),
    await layoutFigure(engine, scale, 10, 4),
    await layoutFigure(engine, scale, 100, 4),
    await layoutFigure(engine, scale, 10, 16),
    await layoutFigure(engine, scale, 10, 64),
  ],
  disk: (_, engine) => diskFigures(engine),
  many: (_, engine) => manyFigures(engine, scale),
}

const unknown = only?.find((name) => !(name in GROUPS))
if (unknown !== undefined) {
  console.error(`bench:clickhouse: there is no figure "${unknown}"; there are ${Object.keys(GROUPS).join(', ')}.`)
  process.exit(1)
}

/** The API in a process of its own, on the same database. */
async function withApi(database: TestDatabase, measure: (api: Started) => Promise<Figure>): Promise<Figure[]> {
  const { url, user, password, database: name } = database.options
  process.env.CLICKHOUSE_URL = url
  if (user !== undefined) process.env.CLICKHOUSE_USER = user
  if (password !== undefined) process.env.CLICKHOUSE_PASSWORD = password
  if (name !== undefined) process.env.CLICKHOUSE_DATABASE = name
  const api = await start([process.execPath, 'bench/server.ts', '--storage', 'clickhouse', '--data'])
  try {
    return [await measure(api)]
  } finally {
    await api.stop()
  }
}

const given = process.env.CLICKHOUSE_URL
for (const [name, measure] of Object.entries(GROUPS)) {
  if (only !== undefined && !only.includes(name)) continue
  say(`${name} …`)
  if (given === undefined) delete process.env.CLICKHOUSE_URL
  const database = await openDatabase()
  const engine = new NodeConnection(database.options)
  try {
    report(await measure(database, engine))
  } finally {
    await engine.close()
    await database.close()
  }
}
finish()
