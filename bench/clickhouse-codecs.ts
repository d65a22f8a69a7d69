/** `node bench/clickhouse-codecs.ts`: codecs of ClickHouse on real draws, by bytes and by speed. */
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { NodeConnection } from '../src/backends/clickhouse/node-connection.ts'
import { RowReader, RowWriter } from '../src/backends/clickhouse/row-binary.ts'
import { bytesOf } from '../src/core/draws/dtype.ts'
import type { Bytes } from '../src/core/draws/segment.ts'
import { openDatabase } from '../test/support/clickhouse.ts'
import { median, seconds } from './lib/measure.ts'
import { type Column, realDraws } from './lib/real-draws.ts'

const HELP = `usage: node bench/clickhouse-codecs.ts [--json] [--copies N] [--rounds N] [--draws N]

  --json      one JSON object on standard output; progress goes to standard error
  --copies N  how often all draws are written for the speeds   [20]
  --rounds N  turns of each codec; the median counts           [5]
  --draws N   draws of one variable in a row of the table      [1000]

Starts the development engine, or uses CLICKHOUSE_URL. The draws are those of posteriordb and CmdStan under
MCB_SHARED_DATA (../shared/data when it is not set). A speed counts bytes of float64 and includes the way over HTTP, for
every codec alike. Use an idle machine.`

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    copies: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '5' },
    draws: { type: 'string', default: '1000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
const copies = Number(options.copies)
const rounds = Number(options.rounds)
const draws = Number(options.draws)
for (const [name, value] of Object.entries({ copies, rounds, draws })) {
  if (Number.isInteger(value) && value > 0) continue
  console.error(`clickhouse-codecs: --${name} is a whole number above 0; see --help`)
  process.exit(2)
}

interface Layout {
  readonly type: string
  write(writer: RowWriter, values: Bytes): void
  /** The bytes of the values. */
  read(reader: RowReader): Bytes
}

const ARRAY: Layout = {
  type: 'Array(Float64)',
  write: (writer, values) => {
    writer.varint(values.length / 8)
    writer.bytes(values)
  },
  read: (reader) => reader.array(8),
}

/** First bytes of all values, then second bytes … */
const SHUFFLED: Layout = {
  type: 'String',
  write: (writer, values) => {
    const n = values.length / 8
    const planes = new Uint8Array(values.length)
    for (let plane = 0; plane < 8; plane++) {
      for (let i = 0; i < n; i++) planes[plane * n + i] = values[i * 8 + plane] ?? 0
    }
    writer.blob(planes)
  },
  read: (reader) => {
    const planes = reader.take(reader.varint())
    const n = planes.length / 8
    const values = new Uint8Array(planes.length)
    for (let plane = 0; plane < 8; plane++) {
      for (let i = 0; i < n; i++) values[i * 8 + plane] = planes[plane * n + i] ?? 0
    }
    return values
  },
}

interface Candidate {
  readonly name: string
  readonly codec: string
  readonly layout: Layout
}

const CANDIDATES: readonly Candidate[] = [
  ...['ZSTD(1)', 'ZSTD(3)', 'ZSTD(5)', 'Gorilla, ZSTD(1)', 'FPC, ZSTD(1)', 'ALP', 'ALP, ZSTD(1)'].map((codec) => {
    return { name: codec, codec, layout: ARRAY }
  }),
  { name: 'shuffled, ZSTD(1)', codec: 'ZSTD(1)', layout: SHUFFLED },
  { name: 'shuffled, ZSTD(3)', codec: 'ZSTD(3)', layout: SHUFFLED },
]

const sets = realDraws()
const database = await openDatabase()
const connection = new NodeConnection(database.options)
try {
  await main()
} finally {
  await connection.close()
  await database.close()
}

async function main(): Promise<void> {
  const candidates = await thoseThatAreThere()
  const bytes: Figures = {}
  for (const [set, columns] of sets) {
    progress(`bytes of ${set}`)
    const raw = Buffer.concat(columns.map((column) => bytesOf(column.values)))
    note(bytes, 'raw', set, raw.length)
    note(bytes, 'gzip -6', set, gzipSync(raw, { level: 6 }).length)
    for (const candidate of candidates) {
      await createTable('sizes', candidate)
      await write('sizes', candidate, columns, 1)
      note(bytes, candidate.name, set, await bytesOnDisk('sizes'))
    }
  }
  const mibPerSecond = await measureSpeeds(candidates)
  if (options.json) console.log(JSON.stringify({ draws, copies, bytes, mibPerSecond }))
  else console.table(tableOf(bytes, mibPerSecond))
}

/** Numbers by codec, and by data set or direction. */
type Figures = Record<string, Record<string, number>>

function note(figures: Figures, codec: string, column: string, value: number): void {
  figures[codec] = { ...figures[codec], [column]: value }
}

/** Bytes of a float64, of each set and of all; and MiB/s. */
function tableOf(bytes: Figures, speeds: Figures): Figures {
  const { raw = {} } = bytes
  const all = (row: Readonly<Record<string, number>>) => Object.values(row).reduce((sum, n) => sum + n, 0)
  const rows = Object.entries(bytes).map(([codec, row]) => {
    const each = Object.entries(row).map(([set, n]) => [set.slice(0, 24), round((8 * n) / (raw[set] ?? 0))])
    const speed = Object.entries(speeds[codec] ?? {}).map(([direction, value]) => [direction, round(value)])
    return [codec, Object.fromEntries([...each, ['all', round((8 * all(row)) / all(raw))], ...speed])]
  })
  return Object.fromEntries(rows)
}

function round(value: number): number {
  return Number(value.toFixed(2))
}

function progress(text: string): void {
  process.stderr.write(`${text} …\n`)
}

async function thoseThatAreThere(): Promise<Candidate[]> {
  const found: Candidate[] = []
  for (const candidate of CANDIDATES) {
    try {
      await createTable('sizes', candidate)
      found.push(candidate)
    } catch (error) {
      progress(`${candidate.name} is not there: ${error instanceof Error ? error.message : error}`)
    }
  }
  return found
}

async function createTable(table: string, { codec, layout }: Candidate): Promise<void> {
  await connection.command(`DROP TABLE IF EXISTS ${table} SYNC`, {})
  await connection.command(
    `CREATE TABLE ${table} (copy UInt32, name String, chain UInt32, start Int64, elements ${layout.type} CODEC(${codec}))
    ENGINE = MergeTree ORDER BY (copy, name, chain, start)
    SETTINGS index_granularity = 64, index_granularity_bytes = 524288, min_bytes_for_wide_part = 0,
      min_rows_for_wide_part = 0, allow_experimental_codecs = 1`,
    {},
  )
}

async function write(table: string, { layout }: Candidate, columns: readonly Column[], times: number): Promise<void> {
  const writer = new RowWriter()
  for (let copy = 0; copy < times; copy++) {
    for (const { name, chain, values } of columns) {
      for (let start = 0; start < values.length; start += draws) {
        writer.uint32(copy)
        writer.string(name)
        writer.uint32(chain)
        writer.int64(start)
        layout.write(writer, bytesOf(values.subarray(start, start + draws)))
      }
    }
  }
  const sql = `INSERT INTO ${table} (copy, name, chain, start, elements) FORMAT RowBinary`
  await connection.insert(sql, writer.finish(), { async_insert: 0, max_insert_block_size: 10_000_000 })
}

async function bytesOnDisk(table: string): Promise<number> {
  const sql = `SELECT sum(column_data_compressed_bytes) FROM system.parts_columns
    WHERE database = currentDatabase() AND table = {table:String} AND active AND column = 'elements'`
  return Number(new RowReader(await connection.select(sql, { table })).uint64())
}

/** The number of bytes of all values. */
async function read(table: string, { layout }: Candidate): Promise<number> {
  const reader = new RowReader(await connection.select(`SELECT elements FROM ${table}`, {}))
  let bytes = 0
  while (reader.more()) bytes += layout.read(reader).length
  return bytes
}

async function measureSpeeds(candidates: readonly Candidate[]): Promise<Record<string, Record<string, number>>> {
  const columns = [...sets.values()].flat()
  const mib = (copies * 8 * columns.reduce((n, column) => n + column.values.length, 0)) / 2 ** 20
  const times = new Map(candidates.map((candidate) => [candidate, { write: [] as number[], read: [] as number[] }]))
  for (let round = 0; round <= rounds; round++) {
    progress(round === 0 ? 'a first turn, which does not count' : `turn ${round} of ${rounds}`)
    for (const [candidate, taken] of times) {
      await createTable('speeds', candidate)
      const writing = await seconds(() => write('speeds', candidate, columns, copies))
      const reading = await seconds(async () => {
        const bytes = await read('speeds', candidate)
        if (bytes !== mib * 2 ** 20) throw new Error(`${candidate.name}: ${bytes} bytes came back of ${mib * 2 ** 20}`)
      })
      if (round > 0) taken.write.push(writing)
      if (round > 0) taken.read.push(reading)
    }
  }
  const entries = [...times].map(([{ name }, taken]) => {
    return [name, { write: mib / median(taken.write), read: mib / median(taken.read) }] as const
  })
  return Object.fromEntries(entries)
}
