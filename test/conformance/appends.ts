/** The append table (docs/protocol.md §3), case by case, and as a game against a model. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Chain, DrawBatch, Draws } from '../../src/core/interfaces.ts'
import { expectSameDraws, floats, fromBits, named, texts } from './arrays.ts'
import { type Column, type Content, differing, drawsOf, indicesOf, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

const X = [{ name: 'x', dtype: 'float64' }]
const batch = (start: number, values: readonly number[]): DrawBatch => ({
  start,
  count: values.length,
  draws: new Map([['x', floats([values.length], values)]]),
})

/** Draws 0, 1, 2, 3, 4 in two batches. */
async function fiveDraws(suite: Suite): Promise<Chain> {
  const chain = await suite.newChain(X)
  await chain.appendBatch(batch(0, [0, 1, 2]))
  await chain.appendBatch(batch(3, [3, 4]))
  return chain
}

const COLUMNS: readonly Column[] = [
  { name: 'scalar', dtype: 'float64', shape: [] },
  { name: 'flag', dtype: 'bool', shape: [3] },
  { name: 'ragged', dtype: 'int32', shape: [-1] },
  { name: 'any', dtype: 'uint8', shape: null },
  { name: 'word', dtype: 'str', shape: [] },
  { name: 'words', dtype: 'str', shape: [-1] },
]

export const appends: Topic = {
  name: 'the append table',
  reads: true,
  define(suite) {
    const stays = async (chain: Chain, values: readonly number[]) => {
      const other = await suite.otherChain(chain)
      expect(await other.length()).toBe(values.length)
      expectSameDraws(await other.getDraws('x'), floats([values.length], values))
    }

    test('s = L: appended', async () => {
      const chain = await fiveDraws(suite)
      expect(await chain.appendBatch(batch(5, [5, 6]))).toBe(7)
      await stays(chain, [0, 1, 2, 3, 4, 5, 6])
    })

    test('s + n ≤ L, same content: nothing is written', async () => {
      const chain = await fiveDraws(suite)
      for (const again of [batch(0, [0, 1, 2]), batch(0, [0, 1, 2, 3, 4]), batch(1, [1, 2, 3]), batch(4, [4])]) {
        expect(await chain.appendBatch(again)).toBe(5)
      }
      await stays(chain, [0, 1, 2, 3, 4])
    })

    test('s < L < s + n, same content where they overlap: the new iterations are appended', async () => {
      const chain = await fiveDraws(suite)
      expect(await chain.appendBatch(batch(4, [4, 5]))).toBe(6)
      expect(await chain.appendBatch(batch(0, [0, 1, 2, 3, 4, 5, 6, 7]))).toBe(8)
      await stays(chain, [0, 1, 2, 3, 4, 5, 6, 7])
    })

    test('overlap with different content: a conflict that names the length', async () => {
      const chain = await fiveDraws(suite)
      for (const other of [
        batch(0, [9]),
        batch(0, [0, 1, 9]),
        batch(4, [9, 5]),
        batch(2, [2, 3, 4.5, 5, 6]),
        batch(0, [-0]),
        batch(0, [0, 1, 2, 3, 9, 5]),
      ]) {
        await expect(chain.appendBatch(other)).rejects.toMatchObject({ code: 'draw_conflict', fields: { length: 5 } })
      }
      await stays(chain, [0, 1, 2, 3, 4])
    })

    test('s > L: a gap that names the length', async () => {
      const chain = await fiveDraws(suite)
      await expect(chain.appendBatch(batch(6, [6]))).rejects.toMatchObject({ code: 'draw_gap', fields: { length: 5 } })
      await stays(chain, [0, 1, 2, 3, 4])
    })

    test('content is compared bit by bit', async () => {
      const nan = (bits: bigint): DrawBatch => ({
        start: 0,
        count: 1,
        draws: new Map([['x', fromBits('float64', [1], [bits])]]),
      })
      const chain = await suite.newChain(X)
      await chain.appendBatch(nan(0x7ff8000000000001n))
      expect(await chain.appendBatch(nan(0x7ff8000000000001n))).toBe(1)
      for (const bits of [0x7ff8000000000000n, 0xfff8000000000001n, 0x7ff0000000000001n]) {
        await expect(chain.appendBatch(nan(bits))).rejects.toMatchObject({ code: 'draw_conflict' })
      }
    })

    test('shapes and strings are content', async () => {
      const chain = await suite.newChain([
        { name: 'any', dtype: 'float64', undefinedNdim: true },
        { name: 's', dtype: 'str', shape: [-1] },
      ])
      const given = (shape: number[], strings: string[]): DrawBatch => ({
        start: 0,
        count: 1,
        draws: named(['any', [floats(shape, [1, 2, 3, 4])]], ['s', [texts([strings.length], strings)]]),
      })
      await chain.appendBatch(given([2, 2], ['ab', 'c']))
      expect(await chain.appendBatch(given([2, 2], ['ab', 'c']))).toBe(1)
      for (const other of [
        given([4], ['ab', 'c']),
        given([1, 4], ['ab', 'c']),
        given([2, 2], ['a', 'bc']),
        given([2, 2], ['ab', 'd']),
      ]) {
        await expect(chain.appendBatch(other)).rejects.toMatchObject({ code: 'draw_conflict' })
      }
    })

    test('a difference in any column is a conflict', async () => {
      const content = suite.content(8, COLUMNS)
      const different = suite.content(9, COLUMNS)
      const chain = await suite.newChain(COLUMNS.map(variableOf))
      await chain.appendBatch(content.batch(0, 20))
      for (const { name } of COLUMNS) {
        const draws = new Map(content.columnsOf(5, 30))
        draws.set(name, different.columnsOf(5, 30).get(name) ?? [])
        const conflict = chain.appendBatch({ start: 5, count: 30, draws })
        await expect(conflict, name).rejects.toMatchObject({ code: 'draw_conflict', fields: { length: 20 } })
      }
      expect(await chain.length()).toBe(20)
    })

    test('any sequence of appends does what the table says', async () => {
      const operation = fc.record({
        /** Draws from the beginning of the batch to the end of the chain; negative when it begins behind that. */
        back: fc.integer({ min: -2, max: 40 }),
        count: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 400 })),
        /** Index, among the iterations that are sent again, of a draw that is another one. */
        differs: fc.option(fc.nat(), { nil: undefined, freq: 4 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.array(operation, { minLength: 1, maxLength: 12 }), async (seed, operations) => {
          const content = suite.content(seed, COLUMNS)
          const chain = await suite.newChain(COLUMNS.map(variableOf))
          let length = 0
          for (const { back, count, differs } of operations) {
            const start = Math.max(0, length - back)
            const again = Math.min(length, start + count) - start
            const conflicts = differs !== undefined && again > 0
            const draws = conflicts
              ? spoiled(content, start, count, start + (differs % again), differs)
              : content.columnsOf(start, count)
            const sent = chain.appendBatch({ start, count, draws })
            if (start > length) await expect(sent).rejects.toMatchObject({ code: 'draw_gap', fields: { length } })
            else if (conflicts) await expect(sent).rejects.toMatchObject({ code: 'draw_conflict', fields: { length } })
            else {
              length = Math.max(length, start + count)
              expect(await sent).toBe(length)
            }
          }
          for (const column of COLUMNS) {
            expectSameDraws(await chain.getDraws(column.name), content.read(column, indicesOf(0, length, 1)))
          }
        }),
        { numRuns: suite.rounds(40, 3) },
      )
    })
  },
}

/** The columns over some iterations, with one draw of one column changed. */
function spoiled(content: Content, start: number, count: number, at: number, which: number): Map<string, Draws> {
  const columns = content.columnsOf(start, count)
  const column = content.columns[which % content.columns.length]
  if (column === undefined) return columns
  const draws = indicesOf(start, count, 1).map((index) => {
    const draw = content.draw(column, index)
    return index === at ? differing(column, draw) : draw
  })
  return columns.set(column.name, drawsOf(column, draws))
}
