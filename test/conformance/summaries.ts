/** Summaries: the same figures from every backend as are computed of the same draws in memory. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import type { Chain, Run } from '../../src/core/interfaces.ts'
import { summarise } from '../../src/core/summary/of-run.ts'
import type { SummaryOptions } from '../../src/core/summary/options.ts'
import type { Summary } from '../../src/core/summary/summary.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { floats, NUMERIC, named, numbers, texts } from './arrays.ts'
import { type Column, Content, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

/** Values of every dtype, NaN and infinities among them. */
const ANY: readonly Column[] = NUMERIC.map((dtype) => ({ name: dtype, dtype, shape: [] }))
const OTHERS: readonly Column[] = [
  { name: 'words', dtype: 'str', shape: [2] },
  { name: 'ragged', dtype: 'float64', shape: [-1] },
]
const CONTENT = new Content(71, [...ANY, ...OTHERS])
const VARIABLES = [
  { name: 'mu', dtype: 'float64' },
  { name: 'theta', dtype: 'float64', shape: [2, 3], dims: ['row', 'column'] },
  { name: 'still', dtype: 'int64' },
  ...CONTENT.columns.map(variableOf),
]
const STATS = [
  { name: 'tune', dtype: 'bool' },
  { name: 'lp', dtype: 'float32' },
]

/** Draws that look random, mix slowly, and are the same each time. */
function walk(count: number, chain: number, start: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const at = start + i
    return Math.sin(at * 12.9898 + chain * 78.233) + Math.cos(at / 7) / (1 + chain) + chain / 100
  })
}

interface Written {
  readonly run: Run
  /** The same draws in memory. */
  readonly memory: Run
}

async function newRun(suite: Suite): Promise<Written> {
  const coordinates = [{ name: 'row', values: encodeNdArray(texts([2], ['upper', 'lower'])) }]
  const meta = { rid: suite.newRid(), variables: VARIABLES, sampleStats: STATS, coordinates }
  return { run: await suite.backend.initRun(meta), memory: await new StoreBackend(new MemoryStore()).initRun(meta) }
}

/** Appends draws to a chain in both, as many at a time as fit no page evenly; those before `warmup` are tuning. */
async function grow(suite: Suite, { run, memory }: Written, chain: number, to: number, warmup = 0): Promise<void> {
  const places: readonly Chain[] = [await run.initChain(chain), await memory.initChain(chain)]
  for (const place of places) {
    for (let start = await place.length(); start < to; ) {
      const count = Math.min(1 + ((start * 7) % 61), to - start)
      const scalar = walk(count, chain, start)
      const draws = named(
        ['mu', floats([count], scalar)],
        ['theta', floats([count, 2, 3], walk(6 * count, chain + 3, 6 * start))],
        ['still', numbers('int64', [count], new Array<bigint>(count).fill(3n))],
        ...CONTENT.columnsOf(start, count),
      )
      const tune = numbers(
        'bool',
        [count],
        scalar.map((_, i) => (start + i < warmup ? 1 : 0)),
      )
      // Every third batch lacks a stat, whose values are its fill.
      const lp = start % 3 === 0 ? [] : ([['lp', numbers('float32', [count], scalar)]] as const)
      start = await place.appendBatch({ start, count, draws, stats: named(['tune', tune], ...lp) })
    }
  }
  for (const place of places.slice(0, 1)) await suite.flush(place)
}

/** A summary but for its registration, which its cursor names as well. */
function contentOf({ registration: _, nextCursor, ...summary }: Summary): object {
  return { ...summary, hasMore: nextCursor !== undefined }
}

/** Expects the figures of the draws in memory from the backend, and from draws that are read through the interfaces. */
async function expectSame({ run, memory }: Written, options: SummaryOptions): Promise<Summary> {
  const expected = await memory.summary(options)
  expect(contentOf(await run.summary(options))).toEqual(contentOf(expected))
  expect(contentOf(await summarise(run, options))).toEqual(contentOf(expected))
  return expected
}

const QUESTIONS: readonly SummaryOptions[] = [
  {},
  { convention: 'arviz', ci: { kind: 'hdi', prob: 0.94 }, columns: ['mean', 'lb', 'ub', 'mad', 'pareto_khat', 'rhat'] },
  { warmup: 'include', variables: ['theta', 'mu'], stats: ['lp', 'tune'] },
  { warmup: 'only', variables: ['mu'] },
  { variables: ['theta'], elements: [5, 0, [1, 3], 0], sort: '-ess_bulk' },
  { sort: '-rhat', chains: [2, 0] },
  { sort: 'mean', limit: 3 },
  { variables: ['words', 'ragged', 'mu'] },
]

export const summaries: Topic = {
  name: 'summaries',
  reads: true,
  define(suite) {
    test('of unequal chains with warmup, whatever is asked', async () => {
      const written = await newRun(suite)
      for (const [chain, length] of [110, 131, 120, 40, 0].entries()) await grow(suite, written, chain, length, 20)
      for (const question of QUESTIONS) await expectSame(written, question)
      const { chains, leftOut, draws, rows } = await written.run.summary()
      expect(chains.map(({ chain, draws: own, warmup }) => [chain, own, warmup])).toEqual([
        [0, 90, 20],
        [1, 111, 20],
        [2, 100, 20],
      ])
      expect(draws).toBe(90)
      expect(leftOut).toEqual([
        { chain: 3, reason: 'short' },
        { chain: 4, reason: 'no_draws' },
        { variable: 'words', reason: 'strings' },
        { variable: 'ragged', reason: 'ragged' },
      ])
      expect(rows.map(({ label }) => label).slice(0, 8)).toEqual([
        'mu',
        ...['upper,0', 'upper,1', 'upper,2', 'lower,0', 'lower,1', 'lower,2'].map((cell) => `theta[${cell}]`),
        'still',
      ])
      const still = rows.find(({ variable }) => variable === 'still')
      expect(still?.figures.slice(0, 3)).toEqual([3, 0, 3])
      expect(still?.figures.at(-1)).toBe('constant')
    })

    test('page by page as at once', async () => {
      const written = await newRun(suite)
      for (const chain of [0, 1]) await grow(suite, written, chain, 60)
      for (const sort of [undefined, '-rhat'] as const) {
        const { rows } = await written.run.summary({ sort })
        const paged: unknown[] = []
        let cursor: string | undefined
        do {
          const page = await written.run.summary({ sort, limit: 7, cursor })
          expect(page.rows.length).toBeLessThanOrEqual(7)
          paged.push(...page.rows)
          cursor = page.nextCursor
        } while (cursor !== undefined)
        expect(paged).toEqual(rows)
      }
    })

    test('of a run that grows', async () => {
      const written = await newRun(suite)
      await expectSame(written, {})
      for (const length of [3, 30, 80]) {
        for (const chain of [0, 1]) await grow(suite, written, chain, length)
        expect((await expectSame(written, { columns: ['mean', 'ess_tail', 'rhat'] })).draws).toBe(length)
      }
      const through = await suite.other.getRun(written.run.rid)
      expect((await through?.summary({ variables: ['mu'] }))?.rows).toEqual(
        (await written.memory.summary({ variables: ['mu'] })).rows,
      )
    })

    test('is refused for what a run has not', async () => {
      const { run } = await newRun(suite)
      for (const [options, code] of [
        [{ variables: ['nothing'] }, 'unknown_variable'],
        [{ stats: ['mu'] }, 'unknown_variable'],
        [{ chains: [7] }, 'chain_not_found'],
        [{ chains: [-1] }, 'invalid_parameter'],
        [{ variables: ['theta'], elements: [6] }, 'invalid_parameter'],
        [{ elements: [0] }, 'invalid_parameter'],
        [{ columns: [] }, 'invalid_parameter'],
        [{ sort: 'mad' }, 'invalid_parameter'],
        [{ ci: { prob: 1 } }, 'invalid_parameter'],
        [{ limit: 0 }, 'invalid_parameter'],
        [{ cursor: 'no cursor' }, 'invalid_parameter'],
      ] as const) {
        await expect(run.summary(options), JSON.stringify(options)).rejects.toMatchObject({ code })
        await expect(summarise(run, options), JSON.stringify(options)).rejects.toMatchObject({ code })
      }
      const reason = new Error('enough')
      await expect(run.summary({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      await expect(summarise(run, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })
  },
}
