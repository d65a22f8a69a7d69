/** Rows of a file as an encoded DrawBatch: each value is written once, where it lies in the message. */
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import { batchHead, columnHead } from '../wire/write-columns.ts'
import type { ColumnGroup } from './columns.ts'
import type { FileColumns } from './csv-file.ts'
import { TUNE } from './run-meta.ts'

const FIRST_ROWS = 16

/** Rows that wait to be stored. */
export class Rows {
  /** Rows that are here. */
  count = 0
  private readonly width: number
  private values = new Float64Array()
  private warmup: boolean[] = []

  /** @param width values of a row */
  constructor(width: number) {
    this.width = width
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.values.byteLength
  }

  /** Bytes that are held once there is another row. */
  get bytesWithOneMore(): number {
    return this.width * this.roomFor(this.count + 1) * Float64Array.BYTES_PER_ELEMENT
  }

  add(row: Float64Array<ArrayBuffer>, isWarmup: boolean): void {
    const room = this.width * this.roomFor(this.count + 1)
    if (room > this.values.length) {
      const grown = new Float64Array(room)
      grown.set(this.values)
      this.values = grown
    }
    this.values.set(row, this.count * this.width)
    this.warmup.push(isWarmup)
    this.count++
  }

  clear(): void {
    this.count = 0
    this.warmup = []
    this.values = new Float64Array()
  }

  /** The rows as the batch that begins at iteration `start`. */
  encode(start: number, columns: FileColumns, schema: Schema): Bytes {
    const parts = partsOf(columns, schema)
    const head = batchHead(start, this.count)
    const heads = parts.map(({ spec }) => columnHead(spec, { data: this.count * spec.stride, shapes: 0, strings: 0 }))
    const length = heads.reduce(
      (n, bytes, i) => n + bytes.length + this.count * (parts[i]?.spec.stride ?? 0),
      head.length,
    )
    const batch = new Uint8Array(length)
    batch.set(head)
    const view = new DataView(batch.buffer)
    let at = head.length
    parts.forEach((part, i) => {
      const bytes = heads[i]
      if (bytes === undefined) return
      batch.set(bytes, at)
      at = this.write(part, view, at + bytes.length)
    })
    return batch
  }

  /** Writes the rows of a column; the place behind them. */
  private write({ spec, columns }: Part, view: DataView, from: number): number {
    const setOne = SETTERS[spec.dtype === 'float64' || spec.dtype === 'int64' ? spec.dtype : 'bool']
    let at = from
    for (let row = 0; row < this.count; row++) {
      if (columns === 'warmup') view.setUint8(at++, this.warmup[row] === true ? 1 : 0)
      else for (const column of columns) at = setOne(view, at, this.values[row * this.width + column] ?? Number.NaN)
    }
    return at
  }

  private roomFor(count: number): number {
    const room = this.width === 0 ? count : this.values.length / this.width
    return count <= room ? room : Math.max(count, Math.min(2 * room, room + 4096), count > 1 ? FIRST_ROWS : 1)
  }
}

type SetOne = (view: DataView, at: number, value: number) => number

/** Writers of one value, each of which tells the place behind it. */
const SETTERS: { readonly [D in 'float64' | 'int64' | 'bool']: SetOne } = {
  float64: (view, at, value) => {
    view.setFloat64(at, value, true)
    return at + 8
  },
  int64: (view, at, value) => {
    view.setBigInt64(at, BigInt(value), true)
    return at + 8
  },
  bool: (view, at, value) => {
    view.setUint8(at, value === 0 ? 0 : 1)
    return at + 1
  },
}

interface Part {
  readonly spec: RigidNumbers
  readonly columns: Int32Array<ArrayBuffer> | 'warmup'
}

function partsOf({ draws, stats }: FileColumns, schema: Schema): Part[] {
  const parts: Part[] = []
  const find = (group: ColumnGroup, specs: Schema['draws']) => {
    const spec = specs.get(group.name)
    if (spec?.kind === 'rigid-numbers' && spec.dtype === group.dtype && spec.elements === group.columns.length) {
      parts.push({ spec, columns: group.columns })
      return
    }
    const detail = `the run has no ${group.dtype} "${group.name}" of shape [${group.shape}]`
    throw new McbError('run_conflict', detail)
  }
  for (const group of draws) find(group, schema.draws)
  for (const group of stats) find(group, schema.stats)
  const tune = schema.stats.get(TUNE)
  if (tune?.kind === 'rigid-numbers' && tune.elements === 1) parts.push({ spec: tune, columns: 'warmup' })
  return parts
}
