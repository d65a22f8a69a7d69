/** Rows of chunks and their bytes, all of which are compared with their checksums. */
import type Database from 'better-sqlite3'
import { objectKey } from '../../backends/folder/fold-chain.ts'
import { chunkSum } from '../../backends/sqlite/chunks.ts'
import type { ColumnSpec } from '../../core/draws/columns.ts'
import { BLOCK_BYTES, blocksIn, SUM_BYTES, sumOf, sumsSize } from '../../objects/checksum.ts'
import { type Disk, type DiskFile, isMissing, readAll } from '../../objects/disk.ts'
import { objectFile } from '../../objects/file-objects.ts'
import type { Bytes } from '../../objects/objects.ts'

/** Bytes that are read of an object at a time: whole blocks of checksums. */
const PIECE_BYTES = 1024 * 1024

/** A row without its data. */
export interface ChunkRow {
  readonly id: number
  readonly col: number
  readonly start: number
  readonly part: number
  readonly count: number
  /** Bytes of `data`; null where they lie in an object, or were never sent. */
  readonly length: number | null
  readonly sums: Buffer | null
  readonly object: number | null
  readonly at: number | null
  readonly size: number | null
  readonly sum: number | null
}

const ROWS_SQL =
  'SELECT id, col, start, part, count, length(data) AS length, sums, object, at, size, sum FROM chunks WHERE chain_id = ? ' +
  'ORDER BY col, start, part'

/** Something that is wrong with a row. */
export interface WrongRow {
  readonly what: string
  /** Iterations that are damaged. */
  readonly from: number
  readonly to: number
}

export class ChunkRows {
  private readonly rowsOf: Database.Statement<[number], ChunkRow>
  private readonly dataOf: Database.Statement<[number], { data: Buffer }>
  private readonly disk: Disk
  private readonly folder: string
  private open: { readonly key: string; readonly file: DiskFile } | undefined
  /** Bytes that were verified. */
  bytes = 0
  /** Rows with data and without checksums. */
  unsummed = 0

  constructor(database: Database.Database, disk: Disk, folder: string) {
    this.rowsOf = database.prepare(ROWS_SQL)
    this.dataOf = database.prepare('SELECT data FROM chunks WHERE id = ?')
    this.disk = disk
    this.folder = folder
  }

  /** Rows of a chain by their column, each in the order of its draws. */
  of(chain: number): Map<number, ChunkRow[]> {
    return Map.groupBy(this.rowsOf.all(chain), ({ col }) => col)
  }

  /** Compares a row with what it says; gives what is wrong. */
  async wrongIn(chain: number, row: ChunkRow, spec: ColumnSpec | undefined): Promise<WrongRow | undefined> {
    const { start, count } = row
    const what = this.wrongNumbers(chain, row, spec)
    if (what !== undefined) return { what, from: start, to: start + count }
    if (row.object === null) {
      if (row.length === null || row.sums === null) return undefined
      return damageOf(row, spec, this.wrongBlocksNear(row), `row ${row.id} of the chunks`)
    }
    const key = objectKey(chain, row.object)
    const blocks = await this.wrongBlocksFar(key, row)
    if (blocks === undefined) return { what: `the object ${key} is missing`, from: start, to: start + count }
    return damageOf(row, spec, blocks, `the object ${key}`)
  }

  /** The sentence for numbers of a row that do not fit its checksum, or each other. */
  private wrongNumbers(chain: number, row: ChunkRow, spec: ColumnSpec | undefined): string | undefined {
    const { id, sum, sums, count, length } = row
    const name = `row ${id} of the chunks`
    if (sum !== null && sum !== sumOfRow(chain, row)) return `${name} is not what was written`
    const size = row.size ?? length
    if (size === null) return undefined
    if (sums === null) this.unsummed++
    else if (sums.length !== sumsSize(size)) return `${name} holds draws that were damaged when they were folded`
    const isOfSize = spec?.kind !== 'rigid-numbers' || count === 1 || size === count * spec.stride
    return isOfSize ? undefined : `${name} has ${size} bytes, which is not what its draws take`
  }

  async close(): Promise<void> {
    await this.open?.file.close()
    this.open = undefined
  }

  private wrongBlocksNear({ id, sums }: ChunkRow): number[] {
    const data = this.dataOf.get(id)?.data
    if (data === undefined || sums === null) return []
    this.bytes += data.length
    return wrongBlocks(data, sums, 0)
  }

  /** Undefined where there is no such object. */
  private async wrongBlocksFar(key: string, { at, size, sums }: ChunkRow): Promise<number[] | undefined> {
    const file = await this.fileOf(key)
    if (file === undefined) return undefined
    const wrong: number[] = []
    const [begin, length] = [at ?? 0, size ?? 0]
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const piece: Bytes = new Uint8Array(Math.min(PIECE_BYTES, length - done))
      const got = await readAll(file, piece, begin + done)
      this.bytes += got
      wrong.push(...wrongBlocks(piece, sums ?? new Uint8Array(), done / BLOCK_BYTES))
      // A last block of zeros might fit by chance where the object ends before.
      const missing = Math.floor((done + got) / BLOCK_BYTES)
      if (got < piece.length && !wrong.includes(missing)) wrong.push(missing)
    }
    return wrong.sort((a, b) => a - b)
  }

  private async fileOf(key: string): Promise<DiskFile | undefined> {
    if (this.open?.key === key) return this.open.file
    await this.close()
    try {
      const file = await this.disk.open(`${this.folder}/objects/${objectFile(key)}`, 'read')
      this.open = { key, file }
      return file
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}

/** Blocks whose checksums differ, counted from the beginning of the chunk. */
function wrongBlocks(piece: Uint8Array, sums: Uint8Array, first: number): number[] {
  const view = new DataView(sums.buffer, sums.byteOffset, sums.length)
  const wrong: number[] = []
  for (let block = 0; block < blocksIn(piece.length); block++) {
    const at = (first + block) * SUM_BYTES
    const isThere = at + SUM_BYTES <= sums.length
    const sum = sumOf(piece.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
    if (!isThere || view.getUint32(at, true) !== sum) wrong.push(first + block)
  }
  return wrong
}

/** The damage that some blocks of a row's draws are; undefined for none. */
function damageOf(row: ChunkRow, spec: ColumnSpec | undefined, blocks: readonly number[], where: string) {
  const { start, count } = row
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const from = first * BLOCK_BYTES
  const to = Math.min(row.size ?? row.length ?? 0, (last + 1) * BLOCK_BYTES)
  const at = row.at ?? 0
  const what = `${where} is damaged between bytes ${at + from} and ${at + to}`
  if (spec?.kind !== 'rigid-numbers' || count === 1 || spec.stride === 0)
    return { what, from: start, to: start + count }
  const end = Math.min(count, Math.ceil(to / spec.stride))
  return { what, from: start + Math.floor(from / spec.stride), to: start + end }
}

function sumOfRow(chain: number, { col: column, start, part, count, object, at, size }: ChunkRow): number {
  const key = { column, start, part, count }
  if (object === null) return chunkSum(chain, { ...key, data: null })
  return chunkSum(chain, { ...key, place: { object, at: at ?? 0 }, data: { length: size ?? 0 } })
}
