/** Pages of one column as one result: a read takes the memory of its result, and of one page. */

import type { ColumnSpec, RigidNumbers } from '../core/draws/columns.ts'
import { bytesOf } from '../core/draws/dtype.ts'
import { numericArray } from '../core/draws/ndarray.ts'
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
