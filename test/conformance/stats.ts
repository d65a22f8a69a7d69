/** Sampler stats that are missing from some batches: they read, and compare, as their fill value. */
import { describe, expect, test } from 'vitest'
import type { Draws } from '../../src/core/interfaces.ts'
import { type AnyDtype, expectSameArray, expectSameDraws, floats, fromBits, numbers, texts } from './arrays.ts'
import { type Column, drawsOf, fillOf, indicesOf, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const DTYPES: readonly AnyDtype[] = ['bool', 'int8', 'int64', 'uint64', 'float32', 'float64', 'str']
const SHAPES: readonly (readonly number[] | null)[] = [[], [2, 2], [0], [-1], [2, -1], null]
const STATS: readonly Column[] = DTYPES.flatMap((dtype) =>
  SHAPES.map((shape) => ({ name: `${dtype} [${shape}]`, dtype, shape })),
)
const X = [{ name: 'x', dtype: 'float64' }]
const x = (start: number, count: number) => new Map([['x', floats([count], indicesOf(start, count, 1))]])

export const stats: Topic = {
  name: 'sampler stats',
  reads: true,
  define(suite) {
    test.each(suite.cases(STATS).map((column) => [column.name, column] as const))(
      '%s, sent now and then',
      async (name, column) => {
        const content = suite.content(3, [column])
        const chain = await suite.newChain(X, [variableOf(column)])
        const sent = (index: number) => (index >= 2 && index < 5) || index === 6
        for (const [start, count] of [
          [0, 2],
          [2, 3],
          [5, 1],
          [6, 1],
          [7, 4],
        ] as const) {
          const given = sent(start) ? { stats: content.columnsOf(start, count) } : {}
          await chain.appendBatch({ start, count, draws: x(start, count), ...given })
        }
        const at = (index: number) => (sent(index) ? content.draw(column, index) : fillOf(column))
        const expected = (indices: number[]) => drawsOf(column, indices.map(at))
        const read = await suite.otherChain(chain)
        expectSameDraws(await read.getStats(name), expected(indicesOf(0, 11, 1)))
        expectSameDraws(await read.getStats(name, { step: -1 }), expected(indicesOf(10, 11, -1)))
        expectSameDraws(await read.getStats(name, { start: 1, step: 3 }), expected([1, 4, 7, 10]))
        for (const index of [0, 4, 5, 6, 10]) expectSameArray((await read.getStatsAt(index)).get(name), at(index))
      },
    )

    test('a stat that is never sent', async () => {
      const chain = await suite.newChain(X, STATS.map(variableOf))
      await chain.appendBatch({ start: 0, count: 3, draws: x(0, 3) })
      for (const column of STATS) {
        const fill = fillOf(column)
        expectSameDraws(await chain.getStats(column.name), drawsOf(column, [fill, fill, fill]))
      }
    })

    test('a chain without draws has no stats', async () => {
      const chain = await suite.newChain(X, STATS.map(variableOf))
      for (const column of STATS) expectSameDraws(await chain.getStats(column.name), drawsOf(column, []))
    })

    describe('an absent stat equals its fill', () => {
      const batchOf = (given: ReadonlyMap<string, Draws> | undefined) => ({
        start: 0,
        count: 2,
        draws: x(0, 2),
        ...(given && { stats: given }),
      })
      test.each(suite.cases(STATS).map((column) => [column.name, column] as const))('%s', async (name, column) => {
        const fill = fillOf(column)
        const explicit = new Map([[name, drawsOf(column, [fill, fill])]])
        for (const [first, second] of [
          [undefined, explicit],
          [explicit, undefined],
          [undefined, undefined],
          [explicit, explicit],
        ]) {
          const chain = await suite.newChain(X, [variableOf(column)])
          expect(await chain.appendBatch(batchOf(first))).toBe(2)
          expect(await chain.appendBatch(batchOf(second))).toBe(2)
        }
      })
    })

    test('what is not the fill is a conflict with an absent stat', async () => {
      const cases = [
        ['float64', fromBits('float64', [1], [0x7ff8000000000001n])],
        ['float64', fromBits('float64', [1], [0xfff8000000000000n])],
        ['float64', floats([1], [0])],
        ['float32', fromBits('float32', [1], [0x7fc00001n])],
        ['int32', numbers('int32', [1], [1])],
        ['bool', numbers('bool', [1], [1])],
        ['str', texts([1], ['\u0000'])],
      ] as const
      for (const [dtype, column] of cases) {
        const given = new Map([['s', column]])
        const absentFirst = await suite.newChain(X, [{ name: 's', dtype }])
        await absentFirst.appendBatch({ start: 0, count: 1, draws: x(0, 1) })
        const sentLater = absentFirst.appendBatch({ start: 0, count: 1, draws: x(0, 1), stats: given })
        await expect(sentLater).rejects.toMatchObject({ code: 'draw_conflict', fields: { length: 1 } })

        const sentFirst = await suite.newChain(X, [{ name: 's', dtype }])
        await sentFirst.appendBatch({ start: 0, count: 1, draws: x(0, 1), stats: given })
        const absentLater = sentFirst.appendBatch({ start: 0, count: 1, draws: x(0, 1) })
        await expect(absentLater).rejects.toMatchObject({ code: 'draw_conflict', fields: { length: 1 } })
        expectSameDraws(await sentFirst.getStats('s'), column)
      }
    })

    test('a stat that alternates with its absence, many times over', async () => {
      const columns: readonly Column[] = [
        { name: 'scalar', dtype: 'float64', shape: [] },
        { name: 'flag', dtype: 'bool', shape: [] },
        { name: 'wide', dtype: 'float32', shape: [600] },
        { name: 'warning', dtype: 'str', shape: [] },
        { name: 'ragged', dtype: 'int64', shape: [-1] },
      ]
      const content = suite.content(4, columns)
      const chain = await suite.newChain(X, columns.map(variableOf))
      const rounds = suite.rounds(2600, 50)
      // Column c is sent with every (c + 2)th batch; batches have one draw, every 31st a hundred.
      const at = (column: number, start: number) => start % (column + 2) === 0
      const isSent: boolean[][] = columns.map(() => [])
      let length = 0
      for (let round = 0; round < rounds; round++) {
        const count = round % 31 === 30 ? 100 : 1
        const chosen = columns.filter((_, c) => at(c, round))
        columns.forEach((_, c) => {
          for (let i = 0; i < count; i++) isSent[c]?.push(at(c, round))
        })
        const given = content.columnsOf(length, count, chosen)
        length = await chain.appendBatch({ start: length, count, draws: x(length, count), stats: given })
      }
      const read = await suite.otherChain(chain)
      for (const [c, column] of columns.entries()) {
        const value = (index: number) => (isSent[c]?.[index] ? content.draw(column, index) : fillOf(column))
        const expected = (indices: number[]) => drawsOf(column, indices.map(value))
        expectSameDraws(await read.getStats(column.name), expected(indicesOf(0, length, 1)))
        expectSameDraws(
          await read.getStats(column.name, { start: -3, step: -7 }),
          expected(indicesOf(length - 3, Math.ceil((length - 2) / 7), -7)),
        )
      }
    })

    test('a stat of huge fixed shape that is absent takes no room', async () => {
      const chain = await suite.newChain(X, [
        { name: 'huge', dtype: 'float64', shape: [2 ** 31] },
        { name: 'words', dtype: 'str', shape: [2 ** 31] },
        { name: 'lp', dtype: 'float64' },
      ])
      const lp = new Map([['lp', floats([3], [1, 2, 3])]])
      for (let start = 0; start < suite.rounds(1100, 20) * 3; start += 3) {
        await chain.appendBatch({ start, count: 3, draws: x(start, 3), stats: lp })
      }
      const last = (await chain.length()) - 3
      expect(await chain.appendBatch({ start: last, count: 3, draws: x(last, 3), stats: lp })).toBe(last + 3)
      expectSameDraws(await chain.getStats('lp', { start: -4 }), floats([4], [3, 1, 2, 3]))
      expectSameDraws(await chain.getStats('huge', { start: last + 3 }), floats([0, 2 ** 31], []))
      // An answer that would be too large is refused before it is made.
      for (const name of ['huge', 'words']) {
        await expect(chain.getStats(name)).rejects.toMatchObject({ code: 'payload_too_large' })
        await expect(chain.getStats(name, { step: -1 })).rejects.toMatchObject({ code: 'payload_too_large' })
        await expect(chain.getStatsAt(-1, [name])).rejects.toMatchObject({ code: 'payload_too_large' })
      }
      expectSameArray((await chain.getStatsAt(-1, ['lp'])).get('lp'), floats([], [3]))
    })
  },
}
