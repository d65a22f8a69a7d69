/** Draws of some elements of a column, as statistics want them: element after element, and in each chain after chain. */
import { type NumericDtype, viewAs } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'

export interface BlockShape {
  readonly elements: number
  readonly chains: number
  /** Draws of each chain. */
  readonly draws: number
}

/** Place of some draws in a block. */
export interface Place {
  /** Position among the chains. */
  readonly chain: number
  /** Number of the first draw. */
  readonly first: number
  /** The first of the elements, and how many they are. */
  readonly from: number
  readonly elements: number
}

/** Elements that are written at once: as many doubles as a line of the cache holds. */
const TILE = 8

export class ScalarBlock {
  readonly shape: BlockShape
  readonly values: Float64Array<ArrayBuffer>

  constructor(shape: BlockShape) {
    this.shape = shape
    this.values = new Float64Array(shape.elements * shape.chains * shape.draws)
  }

  /**
   * Puts consecutive draws of a chain in their place.
   *
   * @param bytes draws of the elements, one draw after the other, as the wire has them
   */
  put({ chain, first, from, elements }: Place, bytes: Bytes, dtype: NumericDtype): void {
    const { chains, draws } = this.shape
    const source = numbersOf(dtype, bytes)
    const count = elements === 0 ? 0 : source.length / elements
    const scalar = chains * draws
    const begin = from * scalar + chain * draws + first
    if (elements === 1) {
      this.values.set(source, begin)
      return
    }
    for (let tile = 0; tile < elements; tile += TILE) {
      const end = Math.min(elements, tile + TILE)
      for (let draw = 0; draw < count; draw++) {
        const from = draw * elements
        for (let element = tile; element < end; element++) {
          this.values[element * scalar + begin + draw] = source[from + element] as number
        }
      }
    }
  }

  /** All draws of one element, chain after chain. */
  scalar(element: number): Float64Array<ArrayBuffer> {
    const size = this.shape.chains * this.shape.draws
    return this.values.subarray(element * size, (element + 1) * size)
  }
}

/** Numbers on the wire as doubles can be read from: those of 64 bits are rounded to the nearest double. */
function numbersOf(dtype: NumericDtype, bytes: Bytes): ArrayLike<number> {
  const view = viewAs(dtype, bytes)
  return view instanceof BigInt64Array || view instanceof BigUint64Array ? Float64Array.from(view, Number) : view
}
