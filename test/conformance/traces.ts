/** Traces: of each bucket the first, least, greatest and last draw, whatever the batches were. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Trace } from '../../src/core/diagnostics/traced.ts'
import { encodeNdArray, type NdArray } from '../../src/core/draws/ndarray.ts'
import type { Run } from '../../src/core/interfaces.ts'
import { m4 } from '../support/m4.ts'
import { floats, NUMERIC, named, texts } from './arrays.ts'
import { type Column, Content, fillOf, pythonSlice, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

const SCALARS: readonly Column[] = NUMERIC.map((dtype) => ({ name: dtype, dtype, shape: [] }))
const MATRIX: Column = { name: 'matrix', dtype: 'float64', shape: [2, 3] }
const OTHERS: readonly Column[] = [
  { name: 'words', dtype: 'str', shape: [] },
  { name: 'ragged', dtype: 'float64', shape: [-1] },
]
const STAT: Column = { name: 'stat', dtype: 'float32', shape: [2] }
const LENGTHS = [230, 150, 0]
const ALL = [0, 1, 2]

const CONTENT = new Content(61, [...SCALARS, MATRIX, ...OTHERS])
const STATS = new Content(62, [STAT])
/** True for a batch that has the stat: those of the beginning, and of the end, do not. */
const hasStat = (start: number) => start >= 20 && start < 90

/** Starts of the batches of a chain. */
function batchStarts(length: number): number[] {
  const starts: number[] = []
  for (let start = 0, size = 1; start < length; start += size, size = (size * 3) % 101 || 1) starts.push(start)
  return starts
}

/** A run of chains of several lengths, in batches of many sizes. */
async function runOf(suite: Suite): Promise<Run> {
  const coordinates = [{ name: 'row', values: encodeNdArray(texts([2], ['upper', 'lower'])) }]
  const variables = CONTENT.columns.map((column) => {
    return { ...variableOf(column), ...(column === MATRIX && { dims: ['row', 'column'] }) }
  })
  const meta = { rid: suite.newRid(), variables, sampleStats: [variableOf(STAT)], coordinates }
  const run = await suite.backend.initRun(meta)
  for (const [number, length] of LENGTHS.entries()) {
    const chain = await run.initChain(number)
    const starts = batchStarts(length)
    for (const [i, start] of starts.entries()) {
      const count = (starts[i + 1] ?? length) - start
      const stats = hasStat(start) ? { stats: STATS.columnsOf(start, count) } : {}
      await chain.appendBatch({ ...CONTENT.batch(start, count), ...stats })
    }
  }
  const seen = await suite.other.getRun(run.rid)
  if (seen === undefined) throw new Error('the run is not seen from elsewhere')
  return seen
}

function flat({ data }: NdArray, element: number): number | bigint {
  const value = data[element]
  if (value === undefined || typeof value === 'string') throw new TypeError('a number is needed')
  return value
}

/** Expects a trace of these elements of a column over the iterations `indices`. */
function expectTrace(trace: Trace, column: Column, elements: readonly number[], indices: readonly number[]): void {
  const { start, stop, buckets } = trace
  const [first = 0] = indices
  expect([start, stop]).toEqual([first, first + indices.length])
  expect(trace.elements.map(({ variable }) => variable)).toEqual(elements.map(() => column.name))
  for (const [i, element] of elements.entries()) {
    for (const { chain, at, values } of trace.elements[i]?.chains ?? []) {
      const own = indices.filter((index) => index < (LENGTHS[chain] ?? 0))
      const drawn = own.map((index) => flat(CONTENT.draw(column, index), element))
      expect([...at]).toEqual(m4(drawn, { start, stop, count: buckets }))
      expect([values.dtype, values.shape]).toEqual([column.dtype, [at.length]])
      expect([...values.data]).toEqual([...at].map((index) => drawn[index - start]))
    }
  }
}

export const traces: Topic = {
  name: 'traces',
  reads: true,
  define(suite) {
    test('of any slice, of some chains, in any number of buckets', async () => {
      const run = await runOf(suite)
      const question = fc.record({
        start: fc.option(fc.integer({ min: -250, max: 250 }), { nil: undefined }),
        stop: fc.option(fc.integer({ min: -250, max: 250 }), { nil: undefined }),
        chains: fc.option(fc.shuffledSubarray(ALL, { minLength: 1 }), { nil: undefined }),
        buckets: fc.integer({ min: 1, max: 60 }),
        elements: fc.option(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }), { nil: undefined }),
        column: fc.constantFrom(...SCALARS, MATRIX, MATRIX, MATRIX),
      })
      await fc.assert(
        fc.asyncProperty(question, async ({ column, elements: any, ...asked }) => {
          const elements = column === MATRIX ? any : undefined
          const trace = await run.trace({ ...asked, variables: [column.name], elements })
          const { chains = ALL, start, stop, buckets } = asked
          expect(trace.buckets).toBe(buckets)
          for (const element of trace.elements) expect(element.chains.map(({ chain }) => chain)).toEqual(chains)
          const longest = Math.max(...chains.map((chain) => LENGTHS[chain] ?? 0))
          const all = column === MATRIX ? [0, 1, 2, 3, 4, 5] : [0]
          expectTrace(trace, column, elements ?? all, pythonSlice(longest, start, stop))
        }),
        { numRuns: suite.rounds(80, 8) },
      )
    })

    test('of all that can be traced, with names and fill values', async () => {
      const run = await runOf(suite)
      const all = await run.trace()
      const cells = ['upper,0', 'upper,1', 'upper,2', 'lower,0', 'lower,1', 'lower,2'].map((cell) => `matrix[${cell}]`)
      expect(all.elements.map(({ label }) => label)).toEqual([...NUMERIC, ...cells])
      expect(all.elements.at(-2)).toMatchObject({ variable: 'matrix', index: [1, 1], label: 'matrix[lower,1]' })
      const { elements } = await run.trace({ stats: ['stat'], variables: ['int8'], chains: [1] })
      expect(elements.map(({ label }) => label)).toEqual(['int8', 'stat[0]', 'stat[1]'])
      const starts = batchStarts(LENGTHS[1] ?? 0)
      for (const element of [0, 1]) {
        const { at, values } = elements[element + 1]?.chains[0] ?? {}
        expect([...(at ?? [])]).toEqual(pythonSlice(150))
        const draws = pythonSlice(150).map((index) => {
          const start = starts.filter((begin) => begin <= index).at(-1) ?? 0
          return flat(hasStat(start) ? STATS.draw(STAT, index) : fillOf(STAT), element)
        })
        expect([...(values?.data ?? [])]).toEqual(draws)
      }
    })

    test('infinities, NaN and both zeros', async () => {
      const run = await suite.newRun([{ name: 'x', dtype: 'float64' }])
      const chain = await run.initChain(3)
      const x = [1, -0, Number.NaN, 2, Number.POSITIVE_INFINITY, 0, 3, Number.NEGATIVE_INFINITY, Number.NaN, 4]
      await chain.appendBatch({ start: 0, count: 10, draws: named(['x', floats([10], x)]) })
      await suite.flush(chain)
      const chainOf = ({ elements }: Trace) => elements[0]?.chains[0] ?? { at: [], values: { data: [] } }
      const { at, values } = chainOf(await run.trace({ buckets: 1 }))
      expect([[...at], [...values.data]]).toEqual([
        [0, 2, 4, 7, 9],
        [1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 4],
      ])
      const whole = chainOf(await run.trace({ buckets: 3 }))
      expect([...whole.values.data]).toEqual(x)
    })

    test('is refused for what a run has not', async () => {
      const run = await runOf(suite)
      for (const [question, code] of [
        [{ variables: ['nothing'] }, 'unknown_variable'],
        [{ stats: ['matrix'] }, 'unknown_variable'],
        [{ chains: [0, 3] }, 'chain_not_found'],
        [{ variables: ['words'] }, 'invalid_parameter'],
        [{ variables: ['ragged'] }, 'invalid_parameter'],
        [{ variables: ['matrix'], elements: [6] }, 'invalid_parameter'],
        [{ elements: [0] }, 'invalid_parameter'],
        [{ variables: ['matrix'], elements: new Array<number>(101).fill(0) }, 'invalid_parameter'],
        [{ buckets: 0 }, 'invalid_parameter'],
        [{ buckets: 10_001 }, 'invalid_parameter'],
        [{ buckets: 1.5 }, 'invalid_parameter'],
        [{ start: 0.5 }, 'invalid_slice'],
      ] as const) {
        await expect(run.trace(question), JSON.stringify(question)).rejects.toMatchObject({ code })
      }
    })
  },
}
