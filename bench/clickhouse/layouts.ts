/** The store's tables against one table a chain with a column a variable, which is McBackend's layout. */

import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Connection as Database } from '../../src/backends/clickhouse/connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'
import { sliceSegment } from '../../src/core/draws/segment.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { decodeBatch } from '../../src/core/wire/read-batch.ts'
import { atLeast, type Figure, newRid, type Scale } from '../lib/figures.ts'
import { compare, seconds } from '../lib/measure.ts'
import { Body, type Model, scalars } from '../lib/model.ts'

const VARIABLES = 300
const BATCHES = 10

/** A run of 300 scalars, made and filled by a writer for each of its chains, all at once, in batches of `draws`. */
export async function layoutFigure(engine: Database, scale: Scale, draws: number, chains: number): Promise<Figure> {
  const model = scalars(VARIABLES)
  const body = new Body(model, draws)
  const store = new ClickHouseStore(engine, 'layout')
  const rows = rowMajor(model, body)
  const [columns, ours] = await compare(
    scale.rounds,
    () => afterMerges(engine, () => fillTables(engine, newRid().replace('-', '_'), rows, chains)),
    () => afterMerges(engine, () => fillStore(store, newRid(), model, draws, chains)),
  )
  const detail = `${(ours * 1000).toFixed(0)} ms; a table a chain ${(columns * 1000).toFixed(0)} ms`
  const name = `ingest 300 scalars, ${chains} chains, batches of ${draws}`
  return atLeast(name, columns / ours, 3, detail)
}

const MERGES = 'SELECT count() FROM system.merges'

/** Seconds that `work` takes on an engine that has finished merging what came before; its own merges are its own. */
async function afterMerges(engine: Database, work: () => Promise<void>): Promise<number> {
  for (let quiet = 0; quiet < 5; ) {
    quiet = new RowReader(await engine.select(MERGES, {})).uint64() === 0n ? quiet + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return seconds(work)
}

async function fillStore(
  store: ClickHouseStore,
  rid: string,
  model: Model,
  draws: number,
  chains: number,
): Promise<void> {
  const { registration } = await store.register({
    rid,
    meta: model.meta.slice(),
    variables: VARIABLES,
    terms: [],
    sampleStats: 0,
  })
  const write = async (chain: number) => {
    await store.createChain(registration, chain)
    const body = new Body(model, draws, chain + 1)
    for (let batch = 0; batch < BATCHES; batch++) {
      body.startAt(batch * draws)
      await store.append(registration, chain, body.bytes)
    }
  }
  await Promise.all(Array.from({ length: chains }, (_, chain) => write(chain)))
}

async function fillTables(engine: Database, rid: string, rows: Uint8Array<ArrayBuffer>, chains: number): Promise<void> {
  const columns = Array.from({ length: VARIABLES }, (_, i) => `x${i} Float64`).join(', ')
  const write = async (chain: number) => {
    const table = `${rid}_chain_${chain}`
    await engine.command(`CREATE TABLE ${table} (_draw_idx UInt64, ${columns}) ENGINE MergeTree ORDER BY _draw_idx`, {})
    for (let batch = 0; batch < BATCHES; batch++) {
      await engine.insert(`INSERT INTO ${table} FORMAT RowBinary`, [rows], { async_insert: 0 })
    }
  }
  await Promise.all(Array.from({ length: chains }, (_, chain) => write(chain)))
  for (let chain = 0; chain < chains; chain++) await engine.command(`DROP TABLE ${rid}_chain_${chain}`, {})
}

/** A row for each draw: its index, then a number of each variable. */
function rowMajor({ schema }: Model, body: Body): Uint8Array<ArrayBuffer> {
  const { segments, count } = decodeBatch(body.bytes, schema, DEFAULT_LIMITS)
  const stride = 8 + schema.columns.length * 8
  const rows = new Uint8Array(count * stride)
  const view = new DataView(rows.buffer)
  for (let draw = 0; draw < count; draw++) {
    view.setBigUint64(draw * stride, BigInt(draw), true)
    for (const [i, spec] of schema.columns.entries()) {
      const segment = segments[i]
      if (segment) rows.set(sliceSegment(spec, segment, count, draw, draw + 1), draw * stride + 8 + i * 8)
    }
  }
  return rows
}

export async function countTables(engine: Database): Promise<number> {
  const sql = 'SELECT count() FROM system.tables WHERE database = currentDatabase()'
  return Number(new RowReader(await engine.select(sql, {})).uint64())
}
