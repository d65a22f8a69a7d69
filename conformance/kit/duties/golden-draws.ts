/** Draws of the golden files as arrays, cut by their registered shapes. */
import { ITEM_SIZE, isNumericDtype } from '../../../src/core/draws/dtype.ts'
import { type NdArray, numericArray } from '../../../src/core/draws/ndarray.ts'
import type { Draws } from '../../../src/core/interfaces.ts'
import { product } from '../../../test/conformance/arrays.ts'
import type { GoldenColumn } from '../../../test/core/golden.ts'

/** An array of some of the elements of a column. */
function part({ dtype, data, strings }: GoldenColumn, shape: readonly number[], from: number): NdArray {
  const to = from + product(shape)
  if (!isNumericDtype(dtype)) return { dtype: 'str', shape, data: strings.slice(from, to) }
  const width = ITEM_SIZE[dtype]
  return numericArray(dtype, shape, new Uint8Array(Buffer.from(data, 'hex')).slice(from * width, to * width))
}

/** The draws of a column; `shape` is that of one draw, undefined where it varies. */
export function goldenDraws(column: GoldenColumn, count: number, shape: readonly number[] | undefined): Draws {
  if (shape !== undefined) return part(column, [count, ...shape], 0)
  const draws: NdArray[] = []
  let word = 0
  let element = 0
  for (let i = 0; i < count; i++) {
    const ndim = column.shapes[word] ?? 0
    const own = column.shapes.slice(word + 1, word + 1 + ndim)
    draws.push(part(column, own, element))
    word += 1 + ndim
    element += product(own)
  }
  return draws
}
