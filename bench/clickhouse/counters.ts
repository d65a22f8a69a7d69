/**
 * The engine's counters of its queries: rows and bytes that they read, as `X-ClickHouse-Summary` of a server says it. The
 * counters are the server's, so that nobody else may ask it anything meanwhile.
 *
 * https://clickhouse.com/docs/operations/system-tables/events
 */
import type { Connection } from '../../src/backends/clickhouse/connection.ts'
import { RowReader } from '../../src/backends/clickhouse/row-binary.ts'

export interface Counters {
  readonly queries: number
  readonly rows: number
  readonly bytes: number
}

const COUNTERS = `SELECT sumIf(value, event = 'SelectQuery'), sumIf(value, event = 'SelectedRows'),
  sumIf(value, event = 'SelectedBytes') FROM system.events`

async function counters(engine: Connection): Promise<Counters> {
  const reader = new RowReader(await engine.select(COUNTERS, {}))
  return { queries: Number(reader.uint64()), rows: Number(reader.uint64()), bytes: Number(reader.uint64()) }
}

const difference = (a: Counters, b: Counters): Counters => {
  return { queries: a.queries - b.queries, rows: a.rows - b.rows, bytes: a.bytes - b.bytes }
}

/** Rows and bytes that the queries of `work` read. Looking costs a query as well, some hundred rows, which is measured and taken off. */
export async function readBy(engine: Connection, work: () => Promise<void>): Promise<Counters> {
  const first = await counters(engine)
  const before = await counters(engine)
  await work()
  return difference(difference(await counters(engine), before), difference(before, first))
}
