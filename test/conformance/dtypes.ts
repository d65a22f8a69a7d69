/** Every dtype, with the values at which an implementation may stumble, bit by bit. */
import { describe, expect, test } from 'vitest'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import type { Value } from '../../src/core/interfaces.ts'
import { expectSameArray, expectSameDraws, fromBits, NUMERIC, numbers, texts } from './arrays.ts'
import type { Topic } from './suite.ts'

const signed = (bits: bigint) => [0n, 1n, -1n, 2n ** (bits - 1n) - 1n, -(2n ** (bits - 1n))]
const unsigned = (bits: bigint) => [0n, 1n, 2n ** (bits - 1n), 2n ** bits - 1n]

const FLOAT32_BITS = [
  0x00000000n,
  0x80000000n, // -0
  0x7f800000n, // infinity
  0xff800000n,
  0x7fc00000n, // the quiet NaN that runtimes make
  0xffc00000n, // NaN with a sign
  0x7fc12345n, // NaN with a payload
  0x7f800001n, // signalling NaN
  0x00000001n, // smallest subnormal
  0x7f7fffffn, // largest
]
const FLOAT64_BITS = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8deadbeefcafen,
  0x7ff0000000000001n,
  0xfff7ffffffffffffn,
  0x0000000000000001n,
  0x7fefffffffffffffn,
  0x3ff0000000000001n,
]

const COLUMNS: readonly NdArray[] = NUMERIC.map((dtype) => {
  if (dtype === 'bool') return numbers(dtype, [3], [0, 1, 1])
  if (dtype === 'float32') return fromBits(dtype, [FLOAT32_BITS.length], FLOAT32_BITS)
  if (dtype === 'float64') return fromBits(dtype, [FLOAT64_BITS.length], FLOAT64_BITS)
  const bits = BigInt(dtype.replace(/\D/g, ''))
  const values = dtype.startsWith('u') ? unsigned(bits) : signed(bits)
  return numbers(dtype, [values.length], values)
})

/** One draw's value as plain JavaScript, and the array that it becomes. */
const SCALARS: readonly (readonly [string, Value, NdArray])[] = [
  ['bool', true, numbers('bool', [], [1])],
  ['bool', false, numbers('bool', [], [0])],
  ['int8', -128, numbers('int8', [], [-128])],
  ['uint8', 255, numbers('uint8', [], [255])],
  ['int16', -32768, numbers('int16', [], [-32768])],
  ['uint16', 65535, numbers('uint16', [], [65535])],
  ['int32', -(2 ** 31), numbers('int32', [], [-(2 ** 31)])],
  ['uint32', 2 ** 32 - 1, numbers('uint32', [], [2 ** 32 - 1])],
  ['int64', -(2n ** 63n), numbers('int64', [], [-(2n ** 63n)])],
  ['int64', 7, numbers('int64', [], [7n])],
  ['uint64', 2n ** 64n - 1n, numbers('uint64', [], [2n ** 64n - 1n])],
  ['float32', 0.1, numbers('float32', [], [0.1])],
  ['float64', -0, fromBits('float64', [], [0x8000000000000000n])],
  ['float64', Number.NEGATIVE_INFINITY, fromBits('float64', [], [0xfff0000000000000n])],
  ['str', '😀', texts([], ['😀'])],
]

/** Values that no dtype of that name can hold. */
const IMPOSSIBLE: readonly (readonly [string, Value])[] = [
  ['bool', 1],
  ['int8', 128],
  ['int8', 0.5],
  ['uint8', -1],
  ['int64', 2n ** 63n],
  ['int64', 0.5],
  ['int64', Number.NaN],
  ['uint64', -1n],
  ['uint64', 2n ** 64n],
  ['int32', 3n],
  ['float64', '1'],
  ['float64', true],
  ['str', 1],
  ['float64', new Float32Array([1])],
  ['int64', new Float64Array([1])],
]

export const dtypes: Topic = {
  name: 'dtypes',
  reads: true,
  define(suite) {
    test.each(COLUMNS.map((column) => [column.dtype, column] as const))('%s keeps its bits', async (dtype, column) => {
      const chain = await suite.newChain([{ name: 'x', dtype }], [{ name: 'x', dtype }])
      const count = column.data.length
      const columns = new Map([['x', column]])
      expect(await chain.appendBatch({ start: 0, count, draws: columns, stats: columns })).toBe(count)
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws('x'), column)
      expectSameDraws(await read.getStats('x'), column)
      // A retry compares the same bits, NaN included.
      expect(await chain.appendBatch({ start: 0, count, draws: columns, stats: columns })).toBe(count)
    })

    test('all dtypes in one run', async () => {
      const variables = NUMERIC.map((dtype) => ({ name: dtype, dtype, shape: [3] }))
      const chain = await suite.newChain(variables)
      const draws = new Map(NUMERIC.map((dtype) => [dtype, numbers(dtype, [2, 3], [0, 1, 1, 1, 0, 1])]))
      await chain.appendBatch({ start: 0, count: 2, draws })
      for (const [dtype, column] of draws) expectSameDraws(await chain.getDraws(dtype), column)
      const at = await chain.getDrawsAt(1)
      for (const dtype of NUMERIC) expectSameArray(at.get(dtype), numbers(dtype, [3], [1, 0, 1]))
    })

    describe('values of one draw', () => {
      test.each(suite.cases(SCALARS))('%s %s', async (dtype, value, expected) => {
        const chain = await suite.newChain([{ name: 'x', dtype }])
        await chain.append({ x: value })
        await chain.append(new Map([['x', expected]]))
        await suite.flush(chain)
        expectSameArray((await chain.getDrawsAt(0)).get('x'), expected)
        expectSameArray((await chain.getDrawsAt(1)).get('x'), expected)
      })

      test.each(suite.cases(IMPOSSIBLE))('%s cannot be %s', async (dtype, value) => {
        const chain = await suite.newChain([{ name: 'x', dtype }])
        const refusal = chain.append({ x: value }).then(() => suite.flush(chain))
        await expect(refusal).rejects.toMatchObject({ code: expect.stringMatching(/^(dtype|shape)_mismatch$/) })
        expect(await (await suite.otherChain(chain)).length()).toBe(0)
      })
    })

    test('typed arrays and nothing else hold numbers', async () => {
      const chain = await suite.newChain([{ name: 'x', dtype: 'int64', shape: [2] }])
      await chain.append({ x: new BigInt64Array([1n, -2n]) })
      await suite.flush(chain)
      expectSameDraws(await chain.getDraws('x'), numbers('int64', [1, 2], [1n, -2n]))
      if (!suite.tells('dtypes')) return
      const wrong = { start: 1, count: 1, draws: new Map([['x', numbers('int32', [1, 2], [1, 2])]]) }
      await expect(chain.appendBatch(wrong)).rejects.toMatchObject(
        suite.refusal('dtype_mismatch', { variable: 'x', expected: 'int64', actual: 'int32' }),
      )
    })

    test('a bool is 0 or 1', async () => {
      const chain = await suite.newChain([{ name: 'x', dtype: 'bool' }])
      const two = { start: 0, count: 1, draws: new Map([['x', numbers('bool', [1], [2])]]) }
      await expect(chain.appendBatch(two)).rejects.toMatchObject({ code: 'dtype_mismatch' })
      expect(await chain.length()).toBe(0)
    })

    test('what was written and what was read are apart from what is stored', async () => {
      const chain = await suite.newChain([{ name: 'x', dtype: 'float64' }])
      const written = new Float64Array([1, 2, 3])
      const draws = new Map([['x', { dtype: 'float64', shape: [3], data: written } as const]])
      await chain.appendBatch({ start: 0, count: 3, draws })
      written.fill(9)
      const read = await chain.getDraws('x')
      expectSameDraws(read, numbers('float64', [3], [1, 2, 3]))
      if ('data' in read && read.dtype === 'float64') read.data.fill(7)
      expectSameDraws(await chain.getDraws('x'), numbers('float64', [3], [1, 2, 3]))
    })
  },
}
