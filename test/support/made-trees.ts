/** Trees made by hand, and their draws from memory. */
import { bytesOf, type Dtype, ITEM_SIZE } from '../../src/core/draws/dtype.ts'
import { type NdArray, sizeOf } from '../../src/core/draws/ndarray.ts'
import type { Bytes } from '../../src/core/draws/segment.ts'
import type { DrawSource } from '../../src/core/formats/netcdf/source.ts'
import type { Attributes, Drawn, Given, TreeVariable } from '../../src/core/inference/tree.ts'
import type { StringPiece } from '../../src/core/inference/values.ts'

/** Arrays of drawn variables, with the axes `chain` and `draw`. */
export type MadeDraws = Map<TreeVariable, NdArray>

interface Axes {
  readonly dims: readonly string[]
  readonly attributes?: Attributes
}

export function given(name: string, array: NdArray, { dims, attributes = {} }: Axes): Given {
  return { kind: 'given', name, dims, shape: array.shape, dtype: array.dtype, attributes, array }
}

/** A variable of which `draws` remembers the array. */
export function drawn(draws: MadeDraws, name: string, array: NdArray, { dims, attributes = {} }: Axes): Drawn {
  const [chains = 0, count = 0, ...shape] = array.shape
  const base = { index: 0, name, group: 'draws', layout: 'rigid', shape, elements: sizeOf(shape) } as const
  const { dtype } = array
  const column =
    dtype === 'str'
      ? ({ ...base, kind: 'rigid-strings', dtype } as const)
      : ({
          ...base,
          kind: 'rigid-numbers',
          dtype,
          itemSize: ITEM_SIZE[dtype],
          stride: ITEM_SIZE[dtype] * sizeOf(shape),
        } as const)
  const rows = Array.from({ length: chains }, () => ({ first: 0, count }))
  const variable: Drawn = {
    kind: 'drawn',
    name,
    dims: ['chain', 'draw', ...dims],
    shape: array.shape,
    dtype,
    attributes,
    columns: [column],
    rows,
  }
  draws.set(variable, array)
  return variable
}

export function counted(name: string, size: number): TreeVariable {
  return { kind: 'counted', name, dims: [name], shape: [size], dtype: 'int64', attributes: {}, first: 0, step: 1 }
}

const encoder = new TextEncoder()

/** Draws from memory, in pieces of `step` bytes or texts. */
export function sourceOf(draws: MadeDraws, step = 1000): DrawSource & { readonly asked: { numbers: number } } {
  const asked = { numbers: 0 }
  const rowsOf = (variable: Drawn, chain: number, first: number, count: number) => {
    const array = draws.get(variable)
    if (array === undefined) throw new Error(`there are no draws of "${variable.name}"`)
    const [, length = 0, ...shape] = array.shape
    const each = sizeOf(shape)
    const from = (chain * length + first) * each
    return { array, from, to: from + count * each }
  }
  async function* numbers(variable: Drawn, chain: number, first: number, count: number): AsyncGenerator<Bytes> {
    const { array, from, to } = rowsOf(variable, chain, first, count)
    if (array.dtype === 'str') return
    const size = ITEM_SIZE[array.dtype]
    const bytes = bytesOf(array.data).subarray(from * size, to * size)
    for (let at = 0; at < bytes.length; at += step) {
      const piece = bytes.subarray(at, at + step)
      asked.numbers += piece.length
      yield piece
    }
  }
  return {
    asked,
    numbers,
    async *texts(variable, chain, first, count): AsyncGenerator<StringPiece> {
      const { array, from, to } = rowsOf(variable, chain, first, count)
      if (array.dtype !== 'str') return
      for (let at = from; at < to; at += step) {
        const parts = array.data.slice(at, Math.min(to, at + step)).map((text) => encoder.encode(text))
        const payload = new Uint8Array(parts.flatMap((part) => [...part]))
        yield { lengths: Uint32Array.from(parts, ({ length }) => length), payload }
      }
    },
    async *together(variables) {
      for (const variable of variables) {
        for (let chain = 0; chain < variable.rows.length; chain++) {
          yield* numbers(variable, chain, 0, variable.shape[1] ?? 0)
        }
      }
    },
  }
}

export function arrayOf<D extends Dtype>(dtype: D, shape: readonly number[], data: NdArray['data']): NdArray {
  // The dtype decides the kind of `data`, which callers give together.
  return { dtype, shape, data } as NdArray
}
