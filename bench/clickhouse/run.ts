/** `npm run bench:clickhouse`: what the ClickHouse storage promises, measured on the development engine. */
import { parseArgs } from 'node:util'
import { NodeConnection } from '../../src/backends/clickhouse/node.ts'
import { openDatabase, type TestDatabase } from '../../test/support/clickhouse.ts'
import type { Figure, Scale } from '../lib/figures.ts'
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

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
    only: { type: 'string', multiple: true },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}

const scale: Scale = values.quick ? { rounds: 2, seconds: 1, data: 0.1 } : { rounds: 5, seconds: 2, data: 1 }

type Measure = (database: TestDatabase, engine: NodeConnection) => Promise<readonly Figure[]>

const GROUPS: Readonly<Record<string, Measure>> = {
  ingest: (database, engine) => withApi(database, (api) => ingestFigure(api, engine, scale)),
  read: (database, engine) => withApi(database, (api) => readFigure(api, engine, scale)),
  layout: async (_, engine) => [
    await layoutFigure(engine, scale, 1),
    await layoutFigure(engine, scale, 10),
    await layoutFigure(engine, scale, 100),
  ],
  disk: (_, engine) => diskFigures(engine),
  many: (_, engine) => manyFigures(engine, scale),
}

const unknown = values.only?.find((name) => !(name in GROUPS))
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

const figures: Figure[] = []
const say = (text: string) => (values.json ? console.error(text) : console.log(text))
const given = process.env.CLICKHOUSE_URL
for (const [name, measure] of Object.entries(GROUPS)) {
  if (values.only !== undefined && !values.only.includes(name)) continue
  say(`${name} …`)
  if (given === undefined) delete process.env.CLICKHOUSE_URL
  const database = await openDatabase()
  const engine = new NodeConnection(database.options)
  try {
    for (const figure of await measure(database, engine)) {
      figures.push(figure)
      const verdict = figure.met === null ? '' : figure.met ? 'met' : 'NOT MET'
      say(
        `${figure.name.padEnd(42)} ${String(figure.value).padStart(8)} ${figure.unit.padEnd(6)} ${figure.goal.padEnd(8)} ${verdict.padEnd(8)} ${figure.detail}`,
      )
    }
  } finally {
    await engine.close()
    await database.close()
  }
}
if (values.json) console.log(JSON.stringify({ node: process.version, quick: values.quick, figures }, null, 2))
