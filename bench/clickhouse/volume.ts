/** What draws take on disk, and what a read touches among many runs. */
import { gzipSync } from 'node:zlib'
import { INSERT_CHUNKS } from '../../src/backends/clickhouse/chunk.ts'
import type { Connection as Database } from '../../src/backends/clickhouse/connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/store.ts'
import { StoreBackend } from '../../src/backends/stored.ts'
import { bytesOf } from '../../src/core/dtype.ts'
import type { Bytes } from '../../src/core/segment.ts'
import { referenceDraws } from '../../test/support/posteriordb.ts'
import { atMost, type Figure, type Scale } from '../lib/figures.ts'
import { seconds } from '../lib/measure.ts'
import { Body, scalars } from '../lib/model.ts'
import { readBy } from './counters.ts'
import { countTables } from './layouts.ts'
import { creationOf, oneBlock, rowsOf } from './rows.ts'

const OF_TENANT = `SELECT sum(bytes_on_disk), sum(rows) FROM system.parts
  WHERE database = currentDatabase() AND table = 'chunks' AND active`

async function chunksOnDisk(engine: Database): Promise<{ bytes: number; rows: number }> {
  const reader = new RowReader(await engine.select(OF_TENANT, {}))
  return { bytes: Number(reader.uint64()), rows: Number(reader.uint64()) }
}

/** Posteriordb's reference draws in an empty database: the whole table after merges, indices and all. */
export async function diskFigures(engine: Database): Promise<Figure[]> {
  const posteriors = referenceDraws()
  if (posteriors === undefined) throw new Error('there are no reference draws; set MCB_SHARED_DATA to their folder')
  const store = new ClickHouseStore(engine, 'disk')
  const backend = new StoreBackend(store)
  let raw = 0
  let packed = 0
  for (const [rid, chains] of Object.entries(posteriors)) {
    const names = Object.keys(chains[0] ?? {})
    const run = await backend.initRun({ rid, variables: names.map((name) => ({ name, dtype: 'float64' })) })
    for (const [number, draws] of chains.entries()) {
      const chain = await run.initChain(number)
      const columns = names.map((name) => [name, new Float64Array(draws[name] ?? [])] as const)
      const count = columns[0]?.[1].length ?? 0
      const entries = columns.map(
        ([name, data]) => [name, { dtype: 'float64', shape: [count], data } as const] as const,
      )
      await chain.appendBatch({ start: 0, count, draws: new Map(entries) })
      for (const [, data] of columns) raw += data.byteLength
      packed += gzipSync(Buffer.concat(columns.map(([, data]) => bytesOf(data))), { level: 6 }).length
    }
  }
  await engine.command('OPTIMIZE TABLE chunks FINAL', {})
  const { bytes } = await chunksOnDisk(engine)
  const detail = `${bytes} bytes on disk; gzip -6 ${packed}; raw ${raw}`
  return [atMost('bytes on disk of real draws / gzip -6', bytes / packed, 1, 'ratio', detail)]
}

const RUNS = 1000
const CHAINS = 4
const VARIABLES = 50
const DRAWS = 100
/** Runs of one insert. */
const TOGETHER = 25

/** Reads one variable of one run among a thousand: the rows that the engine says it has read. */
export async function manyFigures(engine: Database, scale: Scale): Promise<Figure[]> {
  const runs = Math.max(TOGETHER, RUNS * scale.data)
  const before = await countTables(engine)
  const filled = await seconds(() => fillRuns(engine, runs))
  const after = await countTables(engine)
  await engine.command('OPTIMIZE TABLE chunks FINAL', {})
  const { rows } = await chunksOnDisk(engine)
  const backend = new StoreBackend(new ClickHouseStore(engine, 'many'))
  const run = await backend.getRun(ridOf(Math.floor(runs / 2)))
  const chains = (await run?.getChains()) ?? []
  const read = await readBy(engine, async () => {
    for (const chain of chains) await chain.getDraws('x25')
  })
  const detail = `read_rows ${read.rows} of ${rows}, read_bytes ${read.bytes}, by ${read.queries} queries for ${chains.length} chains`
  return [
    atMost('tables made for the runs', after - before, 0, 'tables', `${runs} runs, filled in ${filled.toFixed(0)} s`),
    {
      name: 'rows read by a query for one variable',
      value: Number((read.rows / read.queries).toFixed(1)),
      unit: 'rows',
      goal: 'report',
      met: null,
      detail,
    },
  ]
}

const ridOf = (run: number) => `many-${String(run).padStart(4, '0')}`

/** The registrations through the store, the draws in bulk, with the rows that the store would write. */
async function fillRuns(engine: Database, runs: number): Promise<void> {
  const model = scalars(VARIABLES)
  const store = new ClickHouseStore(engine, 'many')
  const body = new Body(model, DRAWS)
  for (let from = 0; from < runs; from += TOGETHER) {
    const rows: Bytes[] = []
    const registered = Array.from({ length: TOGETHER }, async (_, i) => {
      const rid = ridOf(from + i)
      const { registration } = await store.register({
        rid,
        meta: model.meta.slice(),
        variables: VARIABLES,
        sampleStats: 0,
      })
      for (let chain = 0; chain < CHAINS; chain++) {
        const place = { tenant: 'many', rid, registration, chain }
        rows.push(...creationOf(place), ...rowsOf(place, model.schema, body.bytes))
      }
    })
    await Promise.all(registered)
    await engine.insert(INSERT_CHUNKS, rows, oneBlock())
  }
}
