/** Bytes of draws on disk, and those that a read touches among many runs. */
import { gzipSync } from 'node:zlib'
import { INSERT_CHUNKS } from '../../src/backends/clickhouse/chunk.ts'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Connection as Database } from '../../src/backends/clickhouse/connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { bytesOf } from '../../src/core/draws/dtype.ts'
import type { Bytes } from '../../src/core/draws/segment.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { atMost, type Figure, type Scale } from '../lib/figures.ts'
import { seconds } from '../lib/measure.ts'
import { Body, scalars } from '../lib/model.ts'
import { type Column, realDraws } from '../lib/real-draws.ts'
import { readBy } from './counters.ts'
import { countTables } from './layouts.ts'
import { creationOf, oneBlock, rowsOf } from './rows.ts'

const OF_TENANT = `SELECT sum(bytes_on_disk), sum(rows) FROM system.parts
  WHERE database = currentDatabase() AND table = 'chunks' AND active`

async function chunksOnDisk(engine: Database): Promise<{ bytes: number; rows: number }> {
  const reader = new RowReader(await engine.select(OF_TENANT, {}))
  return { bytes: Number(reader.uint64()), rows: Number(reader.uint64()) }
}

/**
 * Real draws in an empty database: the whole table after merges, indices and all. First those of posteriordb, which have all
 * their digits; then CmdStan's output of six digits as well.
 */
export async function diskFigures(engine: Database): Promise<Figure[]> {
  const backend = new StoreBackend(new ClickHouseStore(engine, 'disk'))
  const sets = [...realDraws()]
  const figures: Figure[] = []
  let raw = 0
  let packed = 0
  for (const [label, kind] of [
    ["posteriordb's draws", 'posteriordb'],
    ["posteriordb's and CmdStan's draws", 'cmdstan'],
  ] as const) {
    for (const [name, columns] of sets) {
      if (!name.startsWith(kind)) continue
      for (const chain of await storeRun(backend, name.replace(' ', '.'), columns)) {
        raw += chain.length
        packed += gzipSync(chain, { level: 6 }).length
      }
    }
    await engine.command('OPTIMIZE TABLE chunks FINAL', {})
    const { bytes } = await chunksOnDisk(engine)
    const detail = `${bytes} bytes on disk; gzip -6 ${packed}; raw ${raw}`
    figures.push(atMost(`bytes on disk of ${label} / gzip -6`, bytes / packed, 1, 'ratio', detail))
  }
  return figures
}

/** Stores one data set as a run, and resolves to the raw bytes of each chain. */
async function storeRun(backend: StoreBackend, rid: string, columns: readonly Column[]): Promise<Buffer[]> {
  const names = [...new Set(columns.map(({ name }) => name))]
  const run = await backend.initRun({ rid, variables: names.map((name) => ({ name, dtype: 'float64' })) })
  const chains: Buffer[] = []
  for (const number of new Set(columns.map(({ chain }) => chain))) {
    const own = columns.filter(({ chain }) => chain === number)
    const count = own[0]?.values.length ?? 0
    const entries = own.map(
      ({ name, values }) => [name, { dtype: 'float64', shape: [count], data: values } as const] as const,
    )
    const chain = await run.initChain(number)
    await chain.appendBatch({ start: 0, count, draws: new Map(entries) })
    chains.push(Buffer.concat(own.map(({ values }) => bytesOf(values))))
  }
  return chains
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
        terms: [],
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
