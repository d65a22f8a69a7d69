/** The run that an upload has become: rows that are there go to its chains, and come back as chunks. */
import type { ColumnSpec } from '../../core/draws/columns.ts'
import type { Bytes } from '../../core/draws/segment.ts'
import { drawsOf } from '../../core/draws/values.ts'
import { pieces } from '../../core/selection.ts'
import { type Elements, fillChunk } from '../../core/upload/chunk.ts'
import { chunksOfBox, copyBox, type Target } from '../../core/upload/grid.ts'
import { FLAG, type Layout, type Node, type PartName, type UploadColumn } from '../../core/upload/layout.ts'
import {
  elementsOfDraws,
  isFillRow,
  isWitness,
  missingRows,
  rowsOf,
  segmentOfElements,
} from '../../core/upload/rows.ts'
import { COLUMN_BYTES, ROW_BYTES } from '../../core/usage.ts'
import { type ColumnSegment, encodeSegments } from '../../core/wire/write-batch.ts'
import type { StoreRun } from '../backend.ts'
import { pathOfChunk, type StagedChunks } from './staged-chunks.ts'

/** Bytes of a batch, more or less. */
const BATCH_BYTES = 4 * 1024 * 1024
/** Rows behind the present one that are looked at. */
const ROWS_AHEAD = 65_536

/** A column of the run, and where its draws come from. */
export interface BoundColumn {
  readonly spec: ColumnSpec
  readonly column: UploadColumn
  /** Elements of a draw. */
  readonly elements: number
}

/** Rows of a part of a chain. */
export interface Rows {
  readonly part: PartName
  /** Place of the chain on the first axis. */
  readonly chain: number
  readonly first: number
  readonly count: number
}

/** A chunk that is at hand, and need not be staged. */
export interface Extra {
  readonly path: string
  readonly elements: Elements
}

export class UploadDraws {
  readonly run: StoreRun
  readonly layout: Layout
  readonly columns: readonly BoundColumn[]
  /** Numbers of the chains, by their place on the first axis. */
  readonly numbers: readonly number[]
  private readonly chunks: StagedChunks
  private readonly rowBytes: number

  constructor(run: StoreRun, layout: Layout, numbers: readonly number[], chunks: StagedChunks) {
    this.run = run
    this.layout = layout
    this.numbers = numbers
    this.chunks = chunks
    this.columns = layout.columns.flatMap((column) => {
      const { schema } = run
      const spec = (column.group === 'sample_stats' ? schema.stats : schema.draws).get(column.name)
      return spec?.layout === 'rigid' ? [{ spec, column, elements: spec.elements }] : []
    })
    this.rowBytes = this.columns.reduce(
      (bytes, { spec, elements }) => bytes + elements * (spec.dtype === 'str' ? 16 : spec.itemSize),
      1,
    )
  }

  /** Rows of one chunk of most columns: what is decided on at a time. */
  blockRows(part: PartName): number {
    let rows = this.layout.rows[part]
    for (const { column } of this.columns) rows = Math.min(rows, column[part]?.array.chunkShape[1] ?? rows)
    return Math.max(1, rows)
  }

  /**
   * Rows from `first` on of which every chunk is there; 0 where one is missing.
   *
   * @param extra path of a chunk that counts as there
   */
  available(part: PartName, chain: number, first: number, extra?: string): number {
    const total = this.layout.rows[part]
    let end = Math.min(total, first + ROWS_AHEAD)
    for (const { column } of this.columns) {
      const node = column[part]
      if (node === undefined) continue
      end = Math.min(end, this.endOf(node, chain, first, end, extra))
      if (end <= first) return 0
    }
    return Math.max(0, end - first)
  }

  private endOf(node: Node, chain: number, first: number, most: number, extra: string | undefined): number {
    const { chunkShape, grid } = node.array
    const length = chunkShape[1] ?? 1
    const place = Math.floor(chain / (chunkShape[0] ?? 1))
    let end = first
    for (let k = Math.floor(first / length); end < most; k++) {
      const inner = grid.slice(2)
      for (const rest of innerChunks(inner)) {
        const path = pathOfChunk(node, [place, k, ...rest])
        if (!this.chunks.has(path) && path !== extra) return end
      }
      end = (k + 1) * length
    }
    return end
  }

  /** Rows of a batch of some MiB. */
  batchRows(): number {
    return Math.max(1, Math.min(this.run.limits.batchIterations, Math.floor(BATCH_BYTES / this.rowBytes)))
  }

  /** Elements of these rows, column by column. */
  async read({ part, chain, first, count }: Rows, extra?: Extra): Promise<Elements[]> {
    const wanted = this.columns.flatMap(({ column }) => {
      const node = column[part]
      if (node === undefined) return []
      const inner = node.array.shape.slice(2)
      const chunks = chunksOfBox(node.array, [chain, first, ...inner.map(() => 0)], [1, count, ...inner])
      return [...chunks]
        .map((chunk) => ({ node, chunk }))
        .filter(({ chunk }) => pathOfChunk(node, chunk) !== extra?.path)
    })
    const found = await this.chunks.read(wanted)
    if (extra !== undefined) found.set(extra.path, extra.elements)
    return this.columns.map(({ spec, column }) => {
      const node = column[part]
      if (node === undefined) return missingRows(spec, count)
      const chunkAt = (chunk: readonly number[]) => found.get(pathOfChunk(node, chunk)) ?? fillChunk(node.array)
      return rowsOf(node.array, chain, first, count, chunkAt)
    })
  }

  /** Stores rows as iterations from `start`; the chain's length then. */
  async append({ part, chain, count }: Rows, start: number, elements: readonly Elements[]): Promise<number> {
    const segments: ColumnSegment[] = this.columns.map(({ spec }, i) => ({
      spec,
      data: segmentOfElements(elements[i] ?? []),
    }))
    const flag = this.layout.hasFlag ? this.run.schema.stats.get(FLAG) : undefined
    if (flag !== undefined) segments.push({ spec: flag, data: new Uint8Array(count).fill(part === 'warmup' ? 1 : 0) })
    const batch: Bytes = encodeSegments(start, count, segments)
    const added = ROW_BYTES + COLUMN_BYTES * this.run.schema.columns.length + batch.length
    const length = await this.run.append(this.numbers[chain] ?? 0, batch)
    this.chunks.added += added
    return length
  }

  /** True where a column of floats has nothing but fill in a row: its writer may still write it. */
  isDoubtful(part: PartName, elements: readonly Elements[], row: number): boolean {
    return this.columns.some(({ column, elements: size }, i) => {
      const array = column[part]?.array
      return array !== undefined && size > 0 && isWitness(array) && isFillRow(array, elements[i] ?? [], row, size)
    })
  }

  /** Rows of these up to the last one that a writer has surely written: one with a number in any column of floats. */
  written(part: PartName, elements: readonly Elements[], count: number): number {
    const witnesses = this.columns.map(({ column, elements: size }, i) => ({
      array: column[part]?.array,
      size,
      rows: elements[i] ?? [],
    }))
    const real = witnesses.filter(({ array, size }) => array !== undefined && size > 0 && isWitness(array))
    if (real.length === 0) return count
    for (let row = count; row > 0; row--) {
      if (real.some(({ array, rows, size }) => array !== undefined && !isFillRow(array, rows, row - 1, size)))
        return row
    }
    return 0
  }

  /** Paths of the chunks of a chain that have a row before `end` as their last one, and are there. */
  spent(
    part: PartName,
    chain: number,
    from: number,
    end: number,
    isDone: (chain: number, rows: number) => boolean,
  ): string[] {
    const paths: string[] = []
    for (const { column } of this.columns) {
      const node = column[part]
      if (node === undefined) continue
      for (const chunk of this.chunksOfRows(node, chain, from, end, isDone)) {
        const path = pathOfChunk(node, chunk)
        if (this.chunks.has(path)) paths.push(path)
      }
    }
    return paths
  }

  /** Chunks that have a row of a chain between two, and whose rows are done for all of their chains. */
  private *chunksOfRows(
    { array }: Node,
    chain: number,
    from: number,
    end: number,
    isDone: (chain: number, rows: number) => boolean,
  ): Generator<number[]> {
    const { chunkShape, grid, shape } = array
    const [across = 1, length = 1] = chunkShape
    const place = Math.floor(chain / across)
    const count = Math.min(across, (shape[0] ?? 0) - place * across)
    const chains = Array.from({ length: count }, (_, i) => place * across + i)
    for (let k = Math.floor(from / length); k * length < end; k++) {
      const last = Math.min((k + 1) * length, shape[1] ?? 0)
      if (!chains.every((other) => isDone(other, last))) continue
      for (const rest of innerChunks(grid.slice(2))) yield [place, k, ...rest]
    }
  }

  /**
   * A chunk as it is stored: fill where the chains have no draws yet.
   *
   * @param place gives the iteration that is row 0 of the part, and the rows of it that a chain has
   */
  async stored(
    node: Node,
    spec: ColumnSpec,
    chunk: readonly number[],
    place: (chain: number) => { readonly start: number; readonly rows: number },
  ): Promise<Elements> {
    const { array } = node
    const [across = 1, length = 1] = array.chunkShape
    const filled = fillChunk(array)
    const target: Target = {
      elements: filled instanceof Uint8Array ? filled : [...filled],
      shape: array.chunkShape,
    }
    const first = (chunk[1] ?? 0) * length
    for (let i = 0; i < across; i++) {
      const chain = (chunk[0] ?? 0) * across + i
      if (chain >= (array.shape[0] ?? 0)) break
      const { start, rows } = place(chain)
      const count = Math.min(rows, first + length) - first
      if (count <= 0) continue
      const elements = await this.readStored(spec, this.numbers[chain] ?? 0, start + first, count)
      const inner = array.shape.slice(2)
      const from = inner.map((_, axis) => (chunk[axis + 2] ?? 0) * (array.chunkShape[axis + 2] ?? 1))
      const shape = inner.map((size, axis) => Math.min(array.chunkShape[axis + 2] ?? 1, size - (from[axis] ?? 0)))
      const box = { from: [0, 0, ...from], to: [i, 0, ...inner.map(() => 0)], shape: [1, count, ...shape] }
      copyBox({ elements, shape: [1, count, ...inner] }, target, box, array.type.itemSize)
    }
    return target.elements
  }

  private async readStored(spec: ColumnSpec, chain: number, start: number, count: number): Promise<Elements> {
    const selection = await this.run.read(chain, [spec], { slice: { start, stop: start + count } })
    const blocks: { data: Bytes; count: number }[] = []
    for await (const piece of pieces(selection)) blocks.push({ data: piece.data.slice(), count: piece.count })
    return elementsOfDraws(drawsOf(spec, blocks))
  }
}

/** Places of all chunks on the axes behind the first two. */
function* innerChunks(grid: readonly number[]): Generator<readonly number[]> {
  if (grid.every((length) => length === 1)) {
    yield grid.map(() => 0)
    return
  }
  const [length = 1, ...rest] = grid
  for (let i = 0; i < length; i++) for (const inner of innerChunks(rest)) yield [i, ...inner]
}
