/** Elements of a variable: some of each draw, of any slice, in the order asked for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Chain } from '../../src/core/interfaces.ts'
import { expectSameDraws, fromBits, named, numbers, stack } from './arrays.ts'
import { type Column, Content, pythonSlice, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

const COLUMNS: readonly Column[] = [
  { name: 'matrix', dtype: 'float64', shape: [4, 5] },
  { name: 'bytes', dtype: 'uint8', shape: [20] },
  { name: 'words', dtype: 'str', shape: [2, 10] },
  { name: 'long', dtype: 'float32', shape: [3000] },
]
const SCALAR: Column = { name: 'scalar', dtype: 'int64', shape: [] }
const RAGGED: Column = { name: 'ragged', dtype: 'int16', shape: [-1] }
const ELEMENTS = 20

async function chainOf(suite: Suite, content: Content, length: number): Promise<Chain> {
  const chain = await suite.newChain(content.columns.map(variableOf))
  for (let start = 0, size = 1; start < length; size = (size * 3) % 101 || 1) {
    start = await chain.appendBatch(content.batch(start, Math.min(size, length - start)))
  }
  return suite.otherChain(chain)
}

/** The expected answer to a read of elements, picked from whole draws. */
function picked(content: Content, column: Column, indices: readonly number[], elements: readonly number[]) {
  const draws = indices.map((index) => {
    const { dtype, data } = content.draw(column, index)
    if (dtype === 'str') return { dtype, shape: [elements.length], data: elements.map((i) => data[i] ?? '') }
    const chosen = elements.map((i) => data[i] ?? 0)
    return dtype === 'float64' || dtype === 'float32'
      ? bitsOf(dtype, data, elements)
      : numbers(dtype, [elements.length], chosen)
  })
  return stack(column.dtype, [elements.length], draws)
}

/** Floats by their bits: a NaN has some of its own. */
function bitsOf(dtype: 'float64' | 'float32', data: ArrayBufferView, elements: readonly number[]) {
  const { buffer, byteOffset, byteLength } = data
  const view = new DataView(buffer, byteOffset, byteLength)
  const bits = elements.map((i) =>
    dtype === 'float64' ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 4, true)),
  )
  return fromBits(dtype, [elements.length], bits)
}

export const elements: Topic = {
  name: 'elements',
  reads: true,
  define(suite) {
    test('any elements of any slice', async () => {
      const length = 250
      const content = new Content(31, [...COLUMNS, SCALAR, RAGGED])
      const chain = await chainOf(suite, content, length)
      const bound = fc.option(fc.integer({ min: -length - 5, max: length + 5 }), { nil: undefined })
      const step = fc.option(
        fc.integer({ min: -90, max: 90 }).filter((n) => n !== 0),
        { nil: undefined },
      )
      const index = fc.nat({ max: ELEMENTS - 1 })
      const range = fc.tuple(index, index).map(([a, b]) => [Math.min(a, b), Math.max(a, b) + 1] as const)
      const parts = fc.array(fc.oneof(index, range), { minLength: 1, maxLength: 5 })
      await fc.assert(
        fc.asyncProperty(
          bound,
          bound,
          step,
          parts,
          fc.constantFrom(...COLUMNS),
          async (start, stop, by, some, column) => {
            const indices = pythonSlice(length, start, stop, by)
            const flat = some.flatMap((part) =>
              typeof part === 'number' ? [part] : Array.from({ length: part[1] - part[0] }, (_, i) => part[0] + i),
            )
            const read = await chain.getDraws(column.name, { start, stop, step: by }, some)
            expectSameDraws(read, picked(content, column, indices, flat))
          },
        ),
        { numRuns: suite.rounds(100, 12) },
      )
    })

    test('a scalar has element 0, and a stat has elements as well', async () => {
      const content = new Content(32, [SCALAR])
      const run = await suite.newRun([variableOf(SCALAR)], [{ name: 'step', dtype: 'int32', shape: [3] }])
      const chain = await run.initChain(0)
      const step = numbers('int32', [2, 3], [1, 2, 3, 4, 5, 6])
      await chain.appendBatch({ ...content.batch(0, 2), stats: named(['step', step]) })
      await chain.appendBatch(content.batch(2, 1))
      await suite.flush(chain)
      expectSameDraws(await chain.getDraws('scalar', {}, [0, 0]), picked(content, SCALAR, [0, 1, 2], [0, 0]))
      // The last draw has no stat: its elements are those of the fill.
      expectSameDraws(await chain.getStats('step', {}, [2, [0, 1]]), numbers('int32', [3, 2], [3, 1, 6, 4, 0, 0]))
    })

    test('an element that is asked for very often', async () => {
      const content = new Content(34, [SCALAR, { name: 'word', dtype: 'str', shape: [1] }])
      const length = 90
      const chain = await chainOf(suite, content, length)
      const zeros = new Array<number>(9000).fill(0)
      for (const column of content.columns) {
        for (const step of [undefined, -2]) {
          const read = await chain.getDraws(column.name, { step }, zeros)
          const indices = pythonSlice(length, undefined, undefined, step)
          expectSameDraws(read, picked(content, column, indices, zeros))
        }
      }
    })

    test('elements that are not there are refused', async () => {
      const content = new Content(33, [...COLUMNS, SCALAR, RAGGED])
      const chain = await chainOf(suite, content, 3)
      for (const [name, some] of [
        ['matrix', [20]],
        ['matrix', [[19, 21]]],
        ['scalar', [1]],
        ['ragged', [0]],
        ['matrix', []],
        ['matrix', [-1]],
        ['matrix', [0.5]],
        ['matrix', [[3, 3]]],
      ] as const) {
        await expect(chain.getDraws(name, {}, some), JSON.stringify([name, some])).rejects.toMatchObject({
          code: 'invalid_parameter',
        })
      }
    })
  },
}
