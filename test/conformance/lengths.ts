/** Lengths of chains and validation of batches: duties also of a backend that keeps no draws. */
import { expect, test } from 'vitest'
import { floats, numbers, texts } from './arrays.ts'
import type { Topic } from './suite.ts'

const VARIABLES = [
  { name: 'x', dtype: 'float64' },
  { name: 'n', dtype: 'int64', shape: [2] },
]
const STATS = [{ name: 'lp', dtype: 'float64' }]
const good = (count: number) =>
  new Map([
    ['x', floats([count], new Array<number>(count).fill(1))],
    ['n', numbers('int64', [count, 2], new Array<bigint>(count * 2).fill(3n))],
  ])

export const lengths: Topic = {
  name: 'lengths and validation',
  reads: false,
  define(suite) {
    test('a chain grows by what is appended', async () => {
      const chain = await suite.newChain(VARIABLES, STATS)
      expect(await chain.length()).toBe(0)
      expect(await chain.appendBatch({ start: 0, count: 5, draws: good(5) })).toBe(5)
      expect(await chain.appendBatch({ start: 5, count: 1, draws: good(1) })).toBe(6)
      expect(await chain.appendBatch({ count: 2, draws: good(2) })).toBe(8)
      expect(await (await suite.otherChain(chain)).length()).toBe(8)
    })

    test('single iterations are appended in order', async () => {
      const chain = await suite.newChain(VARIABLES, STATS)
      for (let i = 0; i < 20; i++) await chain.append({ x: i, n: new BigInt64Array([1n, 2n]) }, i % 2 ? { lp: i } : {})
      await suite.flush(chain)
      expect(await (await suite.otherChain(chain)).length()).toBe(20)
    })

    test('a retry does not count twice', async () => {
      const chain = await suite.newChain(VARIABLES)
      for (let i = 0; i < 3; i++) {
        expect(await chain.appendBatch({ start: 0, count: 5, draws: good(5) })).toBe(5)
        expect(await chain.appendBatch({ start: 2, count: 2, draws: good(2) })).toBe(5)
      }
    })

    test('a batch behind the end is a gap', async () => {
      const chain = await suite.newChain(VARIABLES)
      const gap = (start: number, length: number) =>
        expect(chain.appendBatch({ start, count: 1, draws: good(1) })).rejects.toMatchObject({
          code: 'draw_gap',
          fields: { length },
        })
      await gap(1, 0)
      await chain.appendBatch({ start: 0, count: 4, draws: good(4) })
      await gap(5, 4)
      await gap(2 ** 40, 4)
      expect(await chain.length()).toBe(4)
    })

    test('a batch that does not fit the run is refused, and the chain stays as it was', async () => {
      const chain = await suite.newChain(VARIABLES, STATS)
      await chain.appendBatch({ start: 0, count: 1, draws: good(1) })
      const draws = good(1)
      const without = new Map([['x', floats([1], [1])]])
      for (const [code, batch, needed] of [
        ['empty_batch', { count: 0, draws: good(0) }, 'empty-batch'],
        ['missing_variable', { count: 1, draws: without }],
        ['missing_variable', { count: 1, draws: new Map() }, 'count'],
        ['unknown_variable', { count: 1, draws: new Map([...draws, ['y', floats([1], [1])]]) }],
        ['unknown_variable', { count: 1, draws, stats: new Map([['x', floats([1], [1])]]) }],
        ['dtype_mismatch', { count: 1, draws: new Map([...draws, ['x', numbers('float32', [1], [1])]]) }, 'dtypes'],
        ['dtype_mismatch', { count: 1, draws: new Map([...draws, ['x', texts([1], ['1'])]]) }],
        ['shape_mismatch', { count: 1, draws: new Map([...draws, ['x', floats([2], [1, 2])]]) }],
        ['shape_mismatch', { count: 1, draws, stats: new Map([['lp', floats([0], [])]]) }],
      ] as const) {
        if (needed !== undefined && !suite.tells(needed)) continue
        await expect(chain.appendBatch({ start: 1, ...batch }), code).rejects.toMatchObject({ code })
      }
      expect(await (await suite.otherChain(chain)).length()).toBe(1)
      expect(await chain.appendBatch({ start: 1, count: 1, draws: good(1) })).toBe(2)
    })

    test('a run without variables can have chains of iterations', async () => {
      const chain = await suite.newChain([])
      expect(await chain.appendBatch({ start: 0, count: 7, draws: new Map() })).toBe(7)
      expect(await chain.appendBatch({ start: 3, count: 7, draws: new Map() })).toBe(10)
      expect(await chain.length()).toBe(10)
    })
  },
}
