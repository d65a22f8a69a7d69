/** M4: the draws that a trace keeps, against its definition, however the draws are cut. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketStart } from '../../src/core/diagnostics/buckets.ts'
import { ChainTrace, mostKept } from '../../src/core/diagnostics/trace.ts'
import type { RigidNumbers } from '../../src/core/draws/columns.ts'
import { bytesOf, ITEM_SIZE, isNumericDtype, type NumericArray, type NumericDtype } from '../../src/core/draws/dtype.ts'
import { numericArray } from '../../src/core/draws/ndarray.ts'
import { m4 } from '../support/m4.ts'

const DTYPES = Object.keys(ITEM_SIZE).filter(isNumericDtype)

function spec(dtype: NumericDtype, elements = 1): RigidNumbers {
  const itemSize = ITEM_SIZE[dtype]
  const stride = itemSize * elements
  const rigid = { layout: 'rigid', kind: 'rigid-numbers', shape: [elements], elements, itemSize, stride } as const
  return { ...rigid, index: 0, name: 'x', group: 'draws', dtype }
}

/** Values of a dtype, its limits among them, and of floats NaN, infinities and both zeros. */
function valuesOf(dtype: NumericDtype): fc.Arbitrary<number | bigint> {
  const bits = ITEM_SIZE[dtype] * 8
  if (dtype === 'bool') return fc.integer({ min: 0, max: 1 })
  if (dtype === 'float64')
    return fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double(), fc.constantFrom(Number.NaN, -0))
  if (dtype === 'float32') return fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float(), fc.constantFrom(Number.NaN, -0))
  const isSigned = dtype.startsWith('int')
  const [min, max] = isSigned ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] : [0n, 2n ** BigInt(bits) - 1n]
  const any = fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: max - 3n, max }), fc.bigInt({ min, max: min + 3n }))
  return bits === 64 ? any : any.map(Number)
}

function arrayOf(dtype: NumericDtype, values: readonly (number | bigint)[]): NumericArray {
  const array = numericArray(dtype, [values.length], new Uint8Array(values.length * ITEM_SIZE[dtype]))
  if (array.dtype === 'str') throw new TypeError('numbers are needed')
  if (array.dtype === 'int64' || array.dtype === 'uint64') array.data.set(values.map(BigInt))
  else array.data.set(values.map(Number))
  return array.data
}

/** Draws, buckets around them, and cuts of the draws. */
const asked = fc
  .record({
    dtype: fc.constantFrom(...DTYPES),
    elements: fc.integer({ min: 1, max: 3 }),
    start: fc.nat({ max: 20 }),
    draws: fc.nat({ max: 120 }),
    /** Iterations behind the end of the chain, which another one has. */
    missing: fc.nat({ max: 60 }),
    count: fc.integer({ min: 1, max: 40 }),
    cuts: fc.array(fc.nat({ max: 120 }), { maxLength: 12 }),
  })
  .chain((one) => {
    const length = one.draws * one.elements
    const values = fc.array(valuesOf(one.dtype), { minLength: length, maxLength: length })
    return values.map((all) => ({ ...one, array: arrayOf(one.dtype, all) }))
  })

/** The draws in pieces, at any alignment: pages are packed. */
function piecesOf(
  bytes: Uint8Array,
  stride: number,
  draws: number,
  cuts: readonly number[],
): Uint8Array<ArrayBuffer>[] {
  const places = [...new Set([0, ...cuts.filter((cut) => cut < draws), draws])].sort((a, b) => a - b)
  return places.slice(1).map((to, i) => {
    const from = (places[i] ?? 0) * stride
    const shifted = new Uint8Array(to * stride - from + (i % 3))
    shifted.set(bytes.subarray(from, to * stride), i % 3)
    return shifted.subarray(i % 3)
  })
}

describe('a trace', () => {
  test('keeps what the definition says, however the draws are cut', () => {
    fc.assert(
      fc.property(asked, ({ dtype, elements, start, draws, missing, count, cuts, array }) => {
        const column = spec(dtype, elements)
        const buckets = { start, stop: start + draws + missing, count }
        const trace = new ChainTrace(column, buckets, draws)
        for (const piece of piecesOf(bytesOf(array), column.stride, draws, cuts)) trace.add(piece)
        const kept = trace.finish()
        expect(kept).toHaveLength(elements)
        for (const [element, { at, values: found }] of kept.entries()) {
          const own = Array.from({ length: draws }, (_, i) => array[i * elements + element] ?? 0)
          expect([...at]).toEqual(m4(own, buckets))
          expect([found.dtype, found.shape]).toEqual([dtype, [at.length]])
          const expected = [...at].map((iteration) => own[iteration - start] ?? 0)
          expect(bytesOf(arrayOf(dtype, expected))).toEqual(found.dtype === 'str' ? undefined : bytesOf(found.data))
          expect(at.length).toBeLessThanOrEqual(mostKept(dtype, buckets, draws))
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('loses no spike, no infinity and no NaN of a long chain', () => {
    const draws = 100_000
    const values = Float64Array.from({ length: draws }, (_, i) => Math.sin(i))
    const blemishes = new Map([
      [12_345, 50],
      [23_456, -50],
      [34_567, Number.POSITIVE_INFINITY],
      [45_678, Number.NEGATIVE_INFINITY],
      [56_789, Number.NaN],
    ])
    for (const [at, value] of blemishes) values[at] = value
    const buckets = { start: 0, stop: draws, count: 7 }
    const trace = new ChainTrace(spec('float64'), buckets, draws)
    trace.add(bytesOf(values))
    const [kept] = trace.finish()
    const found = new Map([...(kept?.at ?? [])].map((at, i) => [at, kept?.values.data[i]]))
    for (const [at, value] of blemishes) expect(found.get(at), `draw ${at}`).toBe(value)
    for (let bucket = 0; bucket < 7; bucket++) {
      expect(found.has(bucketStart(buckets, bucket))).toBe(true)
      expect(found.has(bucketStart(buckets, bucket + 1) - 1)).toBe(true)
    }
    expect(found.size).toBe(7 * 4 + 1)
  })

  test('of nothing but NaN has the first and the last of each bucket', () => {
    const trace = new ChainTrace(spec('float32'), { start: 0, stop: 20, count: 2 }, 20)
    trace.add(bytesOf(new Float32Array(20).fill(Number.NaN)))
    const [kept] = trace.finish()
    expect([...(kept?.at ?? [])]).toEqual([0, 9, 10, 19])
  })

  test('compares integers of 64 bits to the last digit', () => {
    const values = [2n ** 62n, 2n ** 62n + 1n, 2n ** 62n + 3n, 2n ** 62n, 2n ** 62n - 1n, 2n ** 62n + 2n, 2n ** 62n]
    for (const [dtype, array] of [
      ['int64', new BigInt64Array(values)],
      ['uint64', new BigUint64Array(values.map((value) => value + 2n ** 63n))],
    ] as const) {
      const trace = new ChainTrace(spec(dtype), { start: 5, stop: 12, count: 1 }, 7)
      trace.add(bytesOf(array))
      const [kept] = trace.finish()
      expect([...(kept?.at ?? [])], dtype).toEqual([5, 7, 9, 11])
      expect([...(kept?.values.data ?? [])], dtype).toEqual([0, 2, 4, 6].map((i) => array[i]))
    }
  })

  test('of draws that were not announced, or have not come, is none', () => {
    const trace = new ChainTrace(spec('uint8'), { start: 0, stop: 10, count: 3 }, 4)
    trace.add(new Uint8Array(3))
    expect(() => trace.finish()).toThrow(RangeError)
    expect(() => trace.add(new Uint8Array(2))).toThrow(RangeError)
  })
})

test('buckets have the same lengths but for one draw, and cover all', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 2 ** 40 }), fc.integer({ min: 1, max: 10_000 }), (start, length, count) => {
      const buckets = { start, stop: start + length, count }
      expect([bucketStart(buckets, 0), bucketStart(buckets, count)]).toEqual([start, start + length])
      for (const bucket of [0, count >> 1, count - 1]) {
        const draws = bucketStart(buckets, bucket + 1) - bucketStart(buckets, bucket)
        expect([Math.floor(length / count), Math.ceil(length / count)]).toContain(draws)
      }
    }),
  )
})
