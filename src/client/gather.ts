/** Pages of one column as one result: a read takes the memory of its result, and of one page. */

import type { ColumnSpec, RigidNumbers } from '../core/draws/columns.ts'
import { bytesOf } from '../core/draws/dtype.ts'
import { type NdArray, numericArray } from '../core/draws/ndarray.ts'
import { isDrawList } from '../core/draws/values.ts'
import { McbError } from '../core/errors.ts'
import type { Draws } from '../core/interfaces.ts'

export interface Gathered {
  add(page: Draws): void
  finish(): Draws
}

/** A result of `count` draws; a page that has them all is the result. */
export function gather(column: ColumnSpec, count: number): Gathered {
  return column.kind === 'rigid-numbers' ? new Numbers(column, count) : new Pages(column)
}

class Numbers implements Gathered {
  private readonly column: RigidNumbers
  private readonly count: number
  private only: Draws | undefined
  private bytes: Uint8Array<ArrayBuffer> | undefined
  private end = 0

  constructor(column: RigidNumbers, count: number) {
    this.column = column
    this.count = count
  }

  add(page: Draws): void {
    if (isDrawList(page) || page.dtype === 'str') throw new TypeError(`"${this.column.name}" holds numbers`)
    if (page.shape[0] === this.count) {
      this.only = page
      return
    }
    this.bytes ??= allocate(this.count * this.column.stride)
    this.bytes.set(bytesOf(page.data), this.end)
    this.end += page.data.byteLength
  }

  finish(): Draws {
    const { dtype, shape } = this.column
    return this.only ?? numericArray(dtype, [this.count, ...shape], this.bytes ?? new Uint8Array())
  }
}

/** @throws McbError `payload_too_large` when this machine has no such room */
function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes)
  } catch (error) {
    const detail = `there is no room for a result of ${bytes} bytes; narrow the slice`
    throw new McbError('payload_too_large', detail, {}, { cause: error })
  }
}

/** Pages of strings, or of draws of varying shape: they are kept as they came. */
class Pages implements Gathered {
  private readonly column: ColumnSpec
  private readonly pages: Draws[] = []

  constructor(column: ColumnSpec) {
    this.column = column
  }

  add(page: Draws): void {
    this.pages.push(page)
  }

  finish(): Draws {
    const { column, pages } = this
    const [only] = pages
    if (pages.length === 1 && only !== undefined) return only
    if (column.layout === 'ragged') return pages.flatMap((page) => (isDrawList(page) ? page : []))
    const data = pages.flatMap((page) => (!isDrawList(page) && page.dtype === 'str' ? page.data : []))
    const count = pages.reduce((sum, page) => sum + (isDrawList(page) ? 0 : (page.shape[0] ?? 0)), 0)
    return { dtype: 'str', shape: [count, ...column.shape], data }
  }
}

/** Parts of the elements of the same draws as one array: a draw has those of all parts. */
export function sideBySide(parts: readonly Draws[]): Draws {
  const arrays = parts.flatMap((part) => (isDrawList(part) ? [] : part))
  const [first] = arrays
  if (first === undefined) throw new TypeError('draws of varying shape have no elements')
  const [count = 0] = first.shape
  const width = arrays.reduce((sum, { shape }) => sum + (shape[1] ?? 0), 0)
  if (first.dtype === 'str') return { dtype: 'str', shape: [count, width], data: interleave(arrays, count) }
  const bytes = new Uint8Array(count * width * first.data.BYTES_PER_ELEMENT)
  let column = 0
  for (const { dtype, data } of arrays) {
    if (dtype === 'str') throw new TypeError('strings are no numbers')
    const part = bytesOf(data)
    const each = part.length / count
    for (let draw = 0; draw < count; draw++) {
      bytes.set(part.subarray(draw * each, (draw + 1) * each), column + (draw * bytes.length) / count)
    }
    column += each
  }
  return numericArray(first.dtype, [count, width], bytes)
}

/** The strings of draw 0 in all arrays, then those of draw 1, and so on. */
function interleave(arrays: readonly NdArray[], count: number): string[] {
  const texts: string[] = []
  for (let draw = 0; draw < count; draw++) {
    for (const { dtype, data } of arrays) {
      const each = data.length / count
      if (dtype !== 'str') continue
      for (let i = draw * each; i < (draw + 1) * each; i++) texts.push(data[i] ?? '')
    }
  }
  return texts
}
