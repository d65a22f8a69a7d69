/** Reading chunks: only those blocks of 16 KiB of a row that are asked for, since a checksum covers one block. */
import type { ColumnSpec } from '../../core/draws/columns.ts'
import type { Block, Bytes } from '../../core/draws/segment.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { BLOCK_BYTES, SUM_BYTES } from '../../objects/checksum.ts'
import { bytesIn, numberIn, type Row, type Statement } from '../../sql/program.ts'
import { DamagedData, isIntact, rowSum } from './checksum.ts'

/**
 * Weight of one chunk row at most, in bytes; versions before wrote up to 1 MiB. SQLite reads a row whole, also for a
 * part of it, and D1 and Durable Objects allow 2,000,000 bytes a row, of which text takes a third more.
 */
export const CHUNK_BYTES = 256 * 1024

/** Iterations of a column whose chunks are read. */
export interface Span {
  /** Position of the column among those that are read. */
  readonly place: number
  readonly column: number
  /** Chunks that hold iterations `from … to` are read … */
  readonly from: number
  readonly to: number
  /** … and iterations `low … high` are taken from them, a range that may be wider. */
  readonly low: number
  readonly high: number
}

/** Draws of a column that lie in an object: the bytes that are to be read of it, and the part of these that the draws are. */
export interface FarBlock {
  readonly start: number
  readonly count: number
  /** Number of the chain's object. */
  readonly object: number
  readonly at: number
  readonly length: number
  /** Bytes of them before the draws, and bytes of the draws. */
  readonly skip: number
  readonly take: number
  /** Checksums of the blocks that are read. */
  readonly sums: Bytes
}

/** Takes what a row holds, by the place of its column. */
export interface Collect {
  near(place: number, block: Block): void
  far(place: number, block: FarBlock): void
}

/** A statement, and the blocks in its rows, by place and rising. */
export interface ChunkRead {
  readonly statement: Statement
  readonly blocks: (rows: readonly Row[], collect: Collect) => void
}

/** A table of the spans. Materialized, so that each JSON text is looked at once. */
const SPANS = (last: number) =>
  `WITH j AS MATERIALIZED (SELECT key AS span, ${['col', 'first', 'last', 'low', 'high', 'stride']
    .slice(0, last)
    .map((name, i) => `json_extract(value, '$[${i}]') AS ${name}`)
    .join(', ')} FROM json_each(?))`
/** Begin of the chunk that holds iteration `first`. Plain placeholders only: better-sqlite3 takes numbered ones for named. */
const FIRST = 'coalesce((SELECT max(start) FROM chunks WHERE chain_id = ? AND col = j.col AND start <= j.first), 0)'

const IS_WHOLE = '(k.start >= j.low AND k.start + k.count <= j.high) OR k.count = 1'
/** Bytes that are asked for, from this one on and up to `END`, in whole blocks. */
const BEGIN = `max(j.low - k.start, 0) * j.stride / ${BLOCK_BYTES} * ${BLOCK_BYTES}`
const END = `(min(j.high - k.start, k.count) * j.stride + ${BLOCK_BYTES - 1}) / ${BLOCK_BYTES} * ${BLOCK_BYTES}`
const PART = `substr(k.data, ${BEGIN} + 1, ${END} - ${BEGIN})`
/** The same in base64: four characters for three bytes, from the three on that hold the first one. */
const BASE64_PART = `CAST(substr(CAST(k.data AS BLOB), ${BEGIN} / 3 * 4 + 1, (${END} + 2) / 3 * 4 - ${BEGIN} / 3 * 4) AS TEXT)`

/** The data before its checksums, which lie behind it: SQLite then goes through the pages of a row once. */
const CHUNKS_SQL = (part: string, unit: number) => `${SPANS(6)}
SELECT j.span, k.start, k.part, k.count, ${unit} AS unit, CASE WHEN ${IS_WHOLE} THEN k.data ELSE ${part} END AS data, k.sums,
  k.object, k.at, k.size, k.sum
FROM j CROSS JOIN chunks k ON k.chain_id = ? AND k.col = j.col AND k.start < j.last AND k.start >= ${FIRST}`
const STATEMENTS = { sql: CHUNKS_SQL(PART, 1), base64Sql: CHUNKS_SQL(BASE64_PART, 3) }

/** The chunks of spans of columns whose draws have the same size. */
export function chunksOf(chainId: number, spans: readonly Span[], specs: readonly ColumnSpec[]): ChunkRead {
  const rows = spans.map(({ place, column, from, to, low, high }) => {
    return [column, from, to, low, high, strideOf(specs[place])]
  })
  return readOf(chainId, { ...STATEMENTS, params: [JSON.stringify(rows), chainId, chainId] }, spans, specs)
}

const VARYING_SQL = `${SPANS(5)}
SELECT j.span, k.start, k.part, k.count, NULL AS unit, k.data, k.sums, k.object, k.at, k.size, k.sum
FROM j CROSS JOIN chunks k ON k.chain_id = ? AND k.col = j.col AND k.start < j.high AND k.start >= ${FIRST}
  AND k.start < max(j.last, coalesce((SELECT start FROM chunks WHERE chain_id = ? AND col = j.col AND start >= j.last
    ORDER BY start, part LIMIT 1 OFFSET ?), j.high))`

/** The chunks that hold the next draws of columns whose draws vary in size: at most so many of each. */
export function varyingChunksOf(
  chainId: number,
  spans: readonly Span[],
  specs: readonly ColumnSpec[],
  most: number,
): ChunkRead {
  const rows = spans.map(({ column, from, to, low, high }) => [column, from, to, low, high])
  const params = [JSON.stringify(rows), chainId, chainId, chainId, most - 1]
  return readOf(chainId, { sql: VARYING_SQL, params }, spans, specs)
}

function readOf(
  chainId: number,
  statement: Statement,
  spans: readonly Span[],
  specs: readonly ColumnSpec[],
): ChunkRead {
  const chunkIn = (row: Row) => {
    const span = spans[numberIn(row, 'span')]
    const spec = specs[span?.place ?? -1]
    if (span === undefined || spec === undefined) throw new Error('a chunk of a column that was not asked for')
    return new ChunkRow(chainId, row, span, spec)
  }
  return {
    statement: { ...statement, look: (row) => chunkIn(row).requireIntact() },
    blocks: (rows, collect) => {
      const chunks = rows.map(chunkIn).sort((a, b) => a.start - b.start || a.part - b.part)
      const groups = Map.groupBy(chunks, ({ span, start }) => `${span.place} ${span.from} ${start}`)
      for (const parts of groups.values()) {
        const [first] = parts
        if (first === undefined) continue
        if (first.isFar) collect.far(first.span.place, first.farBlock())
        else collect.near(first.span.place, blockOf(first, parts))
      }
    },
  }
}

/** The block of a chunk, whose rows are parts of one draw where there are several. */
function blockOf(first: ChunkRow, parts: readonly ChunkRow[]): Block {
  if (parts.length === 1) return first.block()
  return { ...first.block(), data: concatBytes(parts.flatMap((part) => part.block().data ?? [])) }
}

/** The checksum of a chunk's row. */
export function chunkSum(chainId: number, chunk: ChunkKey): number {
  const { column, start, part, count, place, data } = chunk
  if (place === undefined) return rowSum(chainId, column, start, part, count)
  return rowSum(chainId, column, start, part, count, place.object, place.at, data?.length ?? 0)
}

/** Numbers that the row of a chunk says of its draws. */
interface ChunkKey {
  readonly column: number
  readonly start: number
  readonly part: number
  readonly count: number
  readonly place?: { readonly object: number; readonly at: number }
  readonly data: { readonly length: number } | null
}

function strideOf(spec: ColumnSpec | undefined): number {
  return spec?.kind === 'rigid-numbers' ? spec.stride : 0
}

/** A row of the table, or a part of it. */
class ChunkRow {
  readonly start: number
  readonly part: number
  private readonly count: number
  private readonly chainId: number
  private readonly row: Row
  readonly span: Span
  private readonly spec: ColumnSpec

  constructor(chainId: number, row: Row, span: Span, spec: ColumnSpec) {
    this.chainId = chainId
    this.row = row
    this.span = span
    this.spec = spec
    this.start = numberIn(row, 'start')
    this.part = numberIn(row, 'part')
    this.count = numberIn(row, 'count')
  }

  /** True when the data lies in an object. */
  get isFar(): boolean {
    return this.row.object !== null
  }

  /** Byte of the chunk's data at which what is read begins; undefined when it is all of it. */
  private get begin(): number | undefined {
    const { low, high } = this.span
    const isWhole = (this.start >= low && this.start + this.count <= high) || this.count === 1
    if (this.row.unit === null || isWhole) return undefined
    const first = Math.max(low - this.start, 0) * strideOf(this.spec)
    return first - (first % BLOCK_BYTES)
  }

  /** Byte of the chunk's data before which it ends, at the end of a block or behind all of them. */
  private get end(): number {
    const draws = Math.min(this.span.high - this.start, this.count)
    return Math.ceil((draws * strideOf(this.spec)) / BLOCK_BYTES) * BLOCK_BYTES
  }

  /** The data that was read. If it is a part, it begins with a whole block. */
  private get data(): Bytes {
    const data = bytesIn(this.row, 'data')
    const { begin, end } = this
    if (begin === undefined) return data
    // Base64 has up to two bytes more at either end.
    const at = begin - (begin % numberIn(this.row, 'unit'))
    return data.subarray(begin - at, end - at)
  }

  requireIntact(): void {
    const { row } = this
    if (row.sum !== null && row.sum !== this.sum()) throw this.damaged()
    if (row.data !== null && !isIntact(row, this.data, this.begin)) throw this.damaged()
  }

  private sum(): number {
    const { start, part, count, span, row } = this
    const place = this.isFar ? { object: numberIn(row, 'object'), at: numberIn(row, 'at') } : undefined
    const data = this.isFar ? { length: numberIn(row, 'size') } : null
    return chunkSum(this.chainId, { column: span.column, start, part, count, data, ...(place && { place }) })
  }

  block(): Block {
    const { start, begin, count } = this
    const { from, to } = this.range
    // Spans may meet within draws that were never sent.
    if (this.row.data === null) return { start: from, count: to - from, data: null }
    if (begin === undefined) return { start, count, data: this.data }
    const stride = strideOf(this.spec)
    const end = (to - start) * stride - begin
    if (end > this.data.length) throw this.damaged()
    return { start: from, count: to - from, data: this.data.subarray((from - start) * stride - begin, end) }
  }

  farBlock(): FarBlock {
    const { start, count, row } = this
    const [object, at, size] = [numberIn(row, 'object'), numberIn(row, 'at'), numberIn(row, 'size')]
    const sums = bytesIn(row, 'sums')
    const { begin } = this
    if (begin === undefined) return { start, count, object, at, length: size, skip: 0, take: size, sums }
    const { from, to } = this.range
    const stride = strideOf(this.spec)
    const end = Math.min(this.end, size)
    if ((to - start) * stride > size) throw this.damaged()
    return {
      start: from,
      count: to - from,
      object,
      at: at + begin,
      length: end - begin,
      skip: (from - start) * stride - begin,
      take: (to - from) * stride,
      sums: sums.subarray((begin / BLOCK_BYTES) * SUM_BYTES, Math.ceil(end / BLOCK_BYTES) * SUM_BYTES),
    }
  }

  /** Iterations that are wanted of the chunk. */
  private get range(): { readonly from: number; readonly to: number } {
    const { low, high } = this.span
    return { from: Math.max(low, this.start), to: Math.min(high, this.start + this.count) }
  }

  private damaged(): DamagedData {
    return new DamagedData(`the chunk of "${this.spec.name}" that begins at iteration ${this.start}`)
  }
}
