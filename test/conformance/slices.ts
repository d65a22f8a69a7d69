/** Python's slices, compared with Python's own answers and with a walk over random ones. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import table from '../../conformance/golden/files/slices.json' with { type: 'json' }
import type { Chain } from '../../src/core/interfaces.ts'
import { expectSameDraws, floats } from './arrays.ts'
import { type Column, type Content, indicesOf, pythonSlice, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

interface Row {
  readonly length: number
  readonly slice: { start?: bigint; stop?: bigint; step?: bigint }
  readonly first: number
  readonly count: number
  readonly step: bigint
}

function rowOf([length, start, stop, step, first, count, clamped]: readonly unknown[]): Row {
  const slice: { start?: bigint; stop?: bigint; step?: bigint } = {}
  if (typeof start === 'string') slice.start = BigInt(start)
  if (typeof stop === 'string') slice.stop = BigInt(stop)
  if (typeof step === 'string') slice.step = BigInt(step)
  return { length: Number(length), slice, first: Number(first), count: Number(count), step: BigInt(String(clamped)) }
}

const ROWS = table.rows.map(rowOf)
/** Longer chains are for arithmetic alone. */
const LONGEST = 1000

const COLUMNS: readonly Column[] = [
  { name: 'rigid', dtype: 'int64', shape: [] },
  { name: 'matrix', dtype: 'float32', shape: [2, 2] },
  { name: 'ragged', dtype: 'int16', shape: [-1] },
  { name: 'word', dtype: 'str', shape: [] },
]

/** A chain of some length, its batches of uneven size. */
async function chainOf(suite: Suite, content: Content, length: number): Promise<Chain> {
  const chain = await suite.newChain(content.columns.map(variableOf))
  for (let start = 0, size = 1; start < length; size = (size * 3) % 101 || 1) {
    const count = Math.min(size, length - start)
    start = await chain.appendBatch(content.batch(start, count))
  }
  return chain
}

export const slices: Topic = {
  name: 'slices',
  reads: true,
  define(suite) {
    const lengths = [...new Set(ROWS.map((row) => row.length))].filter((length) => length <= LONGEST)

    test.each(lengths)('as Python slices %i draws', async (length) => {
      const content = suite.content(5, COLUMNS)
      const chain = await chainOf(suite, content, length)
      const rows = ROWS.filter((row) => row.length === length)
      const every = Math.ceil(rows.length / suite.rounds(rows.length, 10))
      // Columns take turns among the rows that are run, whatever their distance.
      for (const [i, { slice, first, count, step }] of rows.filter((_, row) => row % every === 0).entries()) {
        const column = COLUMNS[i % COLUMNS.length]
        if (column === undefined) continue
        const indices = indicesOf(first, count, count < 2 ? 1 : Number(step))
        expectSameDraws(await chain.getDraws(column.name, slice), content.read(column, indices))
      }
    })

    test('any slice of a chain whose iterations lie in many batches', async () => {
      const length = 700
      const content = suite.content(6, COLUMNS)
      const chain = await suite.otherChain(await chainOf(suite, content, length))
      const bound = fc.option(fc.integer({ min: -length - 20, max: length + 20 }), { nil: undefined })
      const step = fc.option(
        fc
          .oneof(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -length - 20, max: length + 20 }))
          .filter((n) => n !== 0),
        { nil: undefined },
      )
      await fc.assert(
        fc.asyncProperty(bound, bound, step, fc.constantFrom(...COLUMNS), async (start, stop, step, column) => {
          const indices = pythonSlice(length, start, stop, step)
          expectSameDraws(await chain.getDraws(column.name, { start, stop, step }), content.read(column, indices))
        }),
        { numRuns: suite.rounds(300, 16) },
      )
    })

    test('single iterations, from either end', async () => {
      const content = suite.content(7, COLUMNS)
      const chain = await chainOf(suite, content, 50)
      for (const index of [0, 1, 25, 49]) {
        for (const asked of [index, index - 50]) {
          const at = await chain.getDrawsAt(asked)
          expect([...at.keys()]).toEqual(COLUMNS.map((column) => column.name))
          for (const column of COLUMNS) expect(at.get(column.name)).toEqual(content.draw(column, index))
        }
      }
      expect([...(await chain.getDrawsAt(3, ['word', 'rigid'])).keys()].sort()).toEqual(['rigid', 'word'])
      for (const index of [50, -51, 2 ** 40]) {
        await expect(chain.getDrawsAt(index)).rejects.toMatchObject({ code: 'invalid_slice' })
      }
      await expect(chain.getDrawsAt(0, ['nothing'])).rejects.toMatchObject({ code: 'unknown_variable' })
    })

    test.each([
      ['a step of 0 is', [{ step: 0 }, { step: 0n }]],
      ['bounds that are no integers are', [{ start: 0.5 }, { stop: Number.NaN }, { step: Number.POSITIVE_INFINITY }]],
    ])('%s refused', async (_what, slices) => {
      const chain = await suite.newChain([{ name: 'x', dtype: 'float64' }])
      await chain.appendBatch({ start: 0, count: 1, draws: new Map([['x', floats([1], [1])]]) })
      for (const slice of slices) {
        await expect(chain.getDraws('x', slice)).rejects.toMatchObject({ code: 'invalid_slice' })
      }
    })
  },
}
