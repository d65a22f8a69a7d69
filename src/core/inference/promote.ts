/** The dtype that takes the values of several, and the conversion to it, as NumPy's `stack` does it. */

import { type Dtype, ITEM_SIZE, type NumericArray, type NumericDtype, TYPED_ARRAYS, viewAs } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'

/** The dtype of some values together; undefined where text and numbers meet. */
export function promoted(dtypes: readonly Dtype[]): Dtype | undefined {
  const [first, ...others] = dtypes
  if (first === undefined || !others.every((other) => (other === 'str') === (first === 'str'))) return undefined
  return dtypes.reduce((a, b) => (a === 'str' || b === 'str' ? 'str' : both(a, b)))
}

type Kind = 'b' | 'i' | 'u' | 'f'

function kindOf(dtype: NumericDtype): Kind {
  if (dtype === 'bool') return 'b'
  return dtype.startsWith('float') ? 'f' : dtype.startsWith('uint') ? 'u' : 'i'
}

const SIGNED = { 1: 'int8', 2: 'int16', 4: 'int32', 8: 'int64' } as const

/** https://numpy.org/doc/stable/reference/arrays.promotion.html */
function both(a: NumericDtype, b: NumericDtype): NumericDtype {
  if (a === b) return a
  const [kind, other] = [kindOf(a), kindOf(b)]
  if (kind === 'b') return b
  if (other === 'b') return a
  const larger = ITEM_SIZE[a] >= ITEM_SIZE[b] ? a : b
  if (kind === other) return larger
  if (kind === 'f' || other === 'f') return floatFor(kind === 'f' ? a : b, kind === 'f' ? b : a)
  return signedFor(kind === 'i' ? a : b, kind === 'i' ? b : a)
}

/** float32 has all integers of 16 bits, and float64 is what takes the others. */
function floatFor(float: NumericDtype, integer: NumericDtype): NumericDtype {
  return float === 'float32' && ITEM_SIZE[integer] <= 2 ? 'float32' : 'float64'
}

function signedFor(signed: NumericDtype, unsigned: NumericDtype): NumericDtype {
  const needed = Math.max(ITEM_SIZE[signed], 2 * ITEM_SIZE[unsigned])
  return needed === 2 || needed === 4 || needed === 8 ? SIGNED[needed] : 'float64'
}

/** Elements of one dtype as those of another that takes them; the same bytes where both are one. */
export function convert(bytes: Bytes, from: NumericDtype, to: NumericDtype): NumericArray {
  const source: NumericArray = viewAs(from, bytes)
  if (from === to) return source
  const target: NumericArray = new TYPED_ARRAYS[to](source.length)
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    for (let i = 0; i < source.length; i++) target[i] = BigInt(source[i] ?? 0)
  } else {
    for (let i = 0; i < source.length; i++) target[i] = Number(source[i] ?? 0)
  }
  return target
}
