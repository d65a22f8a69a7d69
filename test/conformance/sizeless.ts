/** Draws of size zero: any number of them has no bytes, and nothing may be held for each of them. */
import { expect, test } from 'vitest'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import { expectSameDraws, floats, named, texts } from './arrays.ts'
import type { Topic } from './suite.ts'

const MILLION = 1_000_000
const VARIABLES = [
  { name: 'words', dtype: 'str', shape: [0] },
  { name: 'tables', dtype: 'str', shape: [3, 0, 2] },
  { name: 'numbers', dtype: 'float64', shape: [0] },
]
const STATS = [
  { name: 'absent', dtype: 'str', shape: [0] },
  { name: 'never', dtype: 'float64' },
]

const draws = (count: number) =>
  named(['words', texts([count, 0], [])], ['tables', texts([count, 3, 0, 2], [])], ['numbers', floats([count, 0], [])])

function shapeOf(read: NdArray | readonly NdArray[]): readonly number[] {
  if ('shape' in read) return read.shape
  throw new Error('draws of a fixed shape are one array')
}

export const sizeless: Topic = {
  name: 'draws of size zero',
  reads: true,
  define(suite) {
    test('thousands of millions are appended, read and appended to', async () => {
      const chain = await suite.newChain(VARIABLES, STATS)
      const batches = suite.rounds(1026, 20)
      for (let i = 0; i < batches; i++) {
        const batch = { start: i * MILLION, count: MILLION, draws: draws(MILLION) }
        expect(await chain.appendBatch(batch)).toBe((i + 1) * MILLION)
      }
      const length = batches * MILLION
      // A batch that is sent again is compared and stored once.
      expect(await chain.appendBatch({ start: MILLION, count: MILLION, draws: draws(MILLION) })).toBe(length)
      expect(await chain.appendBatch({ start: length, count: 1, draws: draws(1) })).toBe(length + 1)
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws('words', { start: -1 }), texts([1, 0], []))
      expectSameDraws(await read.getDraws('tables', { start: 5, stop: 4, step: -1 }), texts([1, 3, 0, 2], []))
      expect(shapeOf(await read.getDraws('words'))).toEqual([length + 1, 0])
      expect(shapeOf(await read.getDraws('numbers'))).toEqual([length + 1, 0])
      expect(shapeOf(await read.getDraws('numbers', { step: -7 }))).toEqual([Math.floor(length / 7) + 1, 0])
      expect(shapeOf(await read.getDraws('tables', { step: 1000 }))).toEqual([length / 1000 + 1, 3, 0, 2])
      expect(shapeOf(await read.getStats('absent', { start: -3 * MILLION }))).toEqual([3 * MILLION, 0])
      expect(shapeOf(await read.getStats('never', { start: -3 }))).toEqual([3])
      const last = await read.getDrawsAt(-1)
      expect([...last.values()].map(({ shape }) => shape)).toEqual([[0], [3, 0, 2], [0]])
    })
  },
}
