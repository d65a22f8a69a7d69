/** Scalars to four dimensions, dimensions of size zero, and shapes that vary from draw to draw. */
import { describe, expect, test } from 'vitest'
import { expectSameArray, expectSameDraws, floats, named, numbers, texts } from './arrays.ts'
import { type Column, indicesOf, isRigid, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const SHAPES: readonly (readonly number[] | null)[] = [
  [],
  [1],
  [5],
  [2, 3],
  [2, 1, 3],
  [2, 2, 2, 3],
  [0],
  [0, 3],
  [3, 0],
  [2, 0, 2, 1],
  [-1],
  [-1, -1],
  [2, -1],
  [-1, 3],
  [-1, 0],
  [2, -1, 2, -1],
  null,
]

const DTYPES = ['float64', 'int16', 'bool', 'str'] as const
const COLUMNS: readonly Column[] = SHAPES.flatMap((shape) =>
  DTYPES.map((dtype) => ({ name: `${dtype} [${shape}]`, dtype, shape })),
)

export const shapes: Topic = {
  name: 'shapes',
  reads: true,
  define(suite) {
    test.each(suite.cases(COLUMNS).map((column) => [column.name, column] as const))('%s', async (_name, column) => {
      const content = suite.content(1, [column])
      const chain = await suite.newChain([variableOf(column)], [variableOf(column)])
      for (const [start, count] of [
        [0, 3],
        [3, 1],
        [4, 8],
      ] as const) {
        const columns = content.columnsOf(start, count)
        await chain.appendBatch({ start, count, draws: columns, stats: columns })
      }
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws(column.name), content.read(column, indicesOf(0, 12, 1)))
      expectSameDraws(
        await read.getStats(column.name, { start: 10, stop: 1, step: -4 }),
        content.read(column, [10, 6, 2]),
      )
      expectSameDraws(await read.getDraws(column.name, { start: 12 }), content.read(column, []))
      expectSameArray((await read.getDrawsAt(3)).get(column.name), content.draw(column, 3))
      expectSameArray((await read.getStatsAt(-1)).get(column.name), content.draw(column, 11))
    })

    test('draws of a rigid variable are one array, of a varying one a list', async () => {
      for (const column of COLUMNS.filter((c) => c.dtype === 'int16')) {
        const content = suite.content(2, [column])
        const chain = await suite.newChain([variableOf(column)])
        await chain.appendBatch(content.batch(0, 2))
        expect(Array.isArray(await chain.getDraws(column.name)), column.name).toBe(!isRigid(column))
      }
    })

    describe('what does not fit is refused, and nothing is stored', () => {
      const x = (shape: number[]) => [{ name: 'x', dtype: 'float64', shape }]
      const cases = [
        ['too many elements', x([2]), floats([1, 3], [1, 2, 3])],
        ['too few elements', x([2]), floats([1, 1], [1])],
        ['another shape of as many elements', x([2, 3]), floats([1, 3, 2], [1, 2, 3, 4, 5, 6])],
        ['a flat array for a matrix', x([2, 3]), floats([6], [1, 2, 3, 4, 5, 6])],
        ['two draws where one was announced', x([]), floats([2], [1, 2])],
        ['a list for a fixed shape', x([1]), [floats([1], [1])]],
        ['a wrong number of dimensions', x([-1]), [floats([1, 1], [1])]],
        ['a wrong fixed dimension', x([2, -1]), [floats([3, 1], [1, 2, 3])]],
        ['fewer draws than announced', x([-1]), []],
        ['more draws than announced', x([-1]), [floats([0], []), floats([0], [])]],
        ['an array that is no array', x([-1]), [floats([3], [1, 2])]],
      ] as const
      test.each(cases)('%s', async (_what, variables, draws) => {
        const chain = await suite.newChain([...variables])
        const batch = { start: 0, count: 1, draws: new Map([['x', draws]]) }
        await expect(chain.appendBatch(batch)).rejects.toMatchObject(suite.refusal('shape_mismatch', { variable: 'x' }))
        expect(await (await suite.otherChain(chain)).length()).toBe(0)
      })
    })

    test('a bare array of one draw takes the registered shape, or one axis where that varies', async () => {
      const chain = await suite.newChain([
        { name: 'matrix', dtype: 'int8', shape: [2, 2] },
        { name: 'ragged', dtype: 'float64', shape: [-1] },
        { name: 'any', dtype: 'float64', undefinedNdim: true },
        { name: 'words', dtype: 'str', shape: [2, 1] },
      ])
      await chain.append({
        matrix: new Int8Array([1, 2, 3, 4]),
        ragged: new Float64Array([1, 2, 3]),
        any: 5,
        words: ['a', 'b'],
      })
      await chain.append({
        matrix: new Int8Array([5, 6, 7, 8]),
        ragged: new Float64Array(),
        any: floats([1, 1, 2], [1, 2]),
        words: ['', 'd'],
      })
      await suite.flush(chain)
      expectSameDraws(await chain.getDraws('matrix'), numbers('int8', [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]))
      expectSameDraws(await chain.getDraws('ragged'), [floats([3], [1, 2, 3]), floats([0], [])])
      expectSameDraws(await chain.getDraws('any'), [floats([], [5]), floats([1, 1, 2], [1, 2])])
      expectSameDraws(await chain.getDraws('words'), texts([2, 2, 1], ['a', 'b', '', 'd']))
    })

    test('dimensions of size zero beside huge ones', async () => {
      const column = { name: 'x', dtype: 'float64', shape: null } as const
      const chain = await suite.newChain([variableOf(column), { name: 'rigid', dtype: 'float64', shape: [2 ** 31, 0] }])
      const huge = [floats([2 ** 32 - 1, 0], []), floats([0, 2 ** 32 - 1, 2 ** 32 - 1], []), floats([1], [4])]
      const draws = named(['x', huge], ['rigid', floats([3, 2 ** 31, 0], [])])
      await chain.appendBatch({ start: 0, count: 3, draws })
      expectSameDraws(await chain.getDraws('x'), huge)
      expectSameDraws(await chain.getDraws('x', { step: 2 }), [floats([2 ** 32 - 1, 0], []), floats([1], [4])])
      expectSameDraws(await chain.getDraws('rigid', { start: 1 }), floats([2, 2 ** 31, 0], []))
    })
  },
}
