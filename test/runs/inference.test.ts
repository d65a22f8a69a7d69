/** A run as a tree of InferenceData: groups, names, axes, rows, and what is left out. */
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import { FreeNames } from '../../src/core/inference/names.ts'
import { planOf } from '../../src/core/inference/plan.ts'
import type { Drawn, Group, Tree } from '../../src/core/inference/tree.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { inferenceTree } from '../../src/runs/inference.ts'
import { numberRows, stringRows } from '../../src/runs/rows.ts'

type Meta = mcbackend.RunMeta.$Properties

const backend = new StoreBackend(new MemoryStore())
let runs = 0

async function runOf(meta: Omit<Meta, 'rid'>): Promise<StoreRun> {
  return backend.initRun({ rid: `run-${runs++}`, ...meta })
}

function floats(shape: readonly number[], valueAt = (i: number) => i): Draws {
  const count = shape.reduce((n, length) => n * length, 1)
  return { dtype: 'float64', shape, data: Float64Array.from({ length: count }, (_, i) => valueAt(i)) }
}

function bools(count: number, warmup: number): Draws {
  return { dtype: 'bool', shape: [count], data: Uint8Array.from({ length: count }, (_, i) => Number(i < warmup)) }
}

/** Chains of the scalar `x`, with the flag of warmup. */
async function scalarRun(chains: { readonly [number: number]: { length: number; warmup?: number } }) {
  const run = await runOf({
    variables: [{ name: 'x', dtype: 'float64' }],
    sampleStats: [{ name: 'tune', dtype: 'bool' }],
  })
  for (const [number, { length, warmup = 0 }] of Object.entries(chains)) {
    const chain = await run.initChain(Number(number))
    if (length > 0) {
      await chain.appendBatch({
        count: length,
        draws: new Map([['x', floats([length], (i) => 1000 * Number(number) + i)]]),
        stats: new Map([['tune', bools(length, warmup)]]),
      })
    }
  }
  return run
}

const cut = (run: StoreRun) => inferenceTree(run, backend, { form: 'cut', states: undefined })
const settled = async (run: StoreRun, form: 'cut' | 'ragged' = 'cut') =>
  inferenceTree(run, backend, { form, states: await run.chainStates() })

function group(tree: Tree, name: string): Group {
  const found = tree.groups.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no group ${name} among ${tree.groups.map((each) => each.name)}`)
  return found
}

function drawn(tree: Tree, path: string): Drawn {
  const [at = '', name] = path.split('/')
  const found = group(tree, at).variables.find((each) => each.name === name)
  if (found?.kind !== 'drawn') throw new Error(`no draws ${path}`)
  return found
}

async function doubles(run: StoreRun, tree: Tree, path: string, chain: number, first = 0, count?: number) {
  const variable = drawn(tree, path)
  const values: number[] = []
  const rows = { chain, first, count: count ?? variable.shape[1] ?? 0 }
  for await (const bytes of numberRows(run, tree, variable, rows))
    values.push(...new Float64Array(bytes.slice().buffer))
  return values
}

describe('chains', () => {
  test('are cut to the shortest, warmup and posterior apart, and an attribute says so', async () => {
    const run = await scalarRun({ 0: { length: 7, warmup: 3 }, 3: { length: 6, warmup: 1 } })
    const tree = await settled(run)
    expect(tree.groups.map(({ name }) => name)).toEqual(['warmup_posterior', 'posterior'])
    expect(drawn(tree, 'warmup_posterior/x').shape).toEqual([2, 1])
    expect(drawn(tree, 'posterior/x').shape).toEqual([2, 4])
    expect(await doubles(run, tree, 'posterior/x', 1)).toEqual([3001, 3002, 3003, 3004])
    expect(tree.attributes['mcb.cut']).toBe(
      'warmup: chains of 1 to 3 draws are cut to 1; posterior: chains of 4 to 5 draws are cut to 4',
    )
    expect(group(tree, 'posterior').variables[0]).toMatchObject({ name: 'chain', kind: 'counted', first: 0, step: 3 })
  })

  test('of one length say nothing', async () => {
    const tree = await settled(await scalarRun({ 0: { length: 3 }, 1: { length: 3 } }))
    expect(Object.keys(tree.attributes).filter((name) => name.startsWith('mcb.'))).toEqual([])
  })

  test('that are ragged are filled up behind their end, and lengths tell', async () => {
    const run = await scalarRun({ 0: { length: 3, warmup: 1 }, 1: { length: 6, warmup: 2 } })
    const tree = await settled(run, 'ragged')
    expect(drawn(tree, 'posterior/x').shape).toEqual([2, 4])
    expect(await doubles(run, tree, 'posterior/x', 0)).toEqual([1, 2, NaN, NaN])
    expect(await doubles(run, tree, 'posterior/x', 0, 3, 4)).toEqual([NaN, NaN, NaN, NaN])
    expect(await doubles(run, tree, 'posterior/x', 1, 3, 1)).toEqual([1005])
    expect(group(tree, 'posterior').attributes['mcb.lengths']).toMatchObject({ data: BigInt64Array.of(2n, 4n) })
    expect(tree.attributes).not.toHaveProperty(['mcb.cut'])
  })

  test('without draws are left out and named; while a run is live, so are those behind them', async () => {
    const run = await scalarRun({ 0: { length: 3 }, 1: { length: 0 }, 2: { length: 3 } })
    expect((await settled(run)).chains.map(({ chain }) => chain)).toEqual([0, 2])
    const live = await cut(run)
    expect(live.chains.map(({ chain }) => chain)).toEqual([0])
    expect(live.attributes['mcb.chains_left_out']).toMatchObject({ data: BigInt64Array.of(1n, 2n) })
  })

  test('are there whatever their numbers are', async () => {
    const run = await scalarRun({ 1: { length: 3 }, 2: { length: 3 }, 4: { length: 3 } })
    expect((await cut(run)).chains.map(({ chain }) => chain)).toEqual([1, 2, 4])
  })

  test('behind an empty one wait for it while the run is live, unless it is done', async () => {
    const run = await scalarRun({ 1: { length: 3 }, 2: { length: 0 }, 4: { length: 3 } })
    expect((await cut(run)).chains.map(({ chain }) => chain)).toEqual([1])
    await run.setAbout({ facts: { finishedAt: '2026-01-01T00:00:00Z' } })
    expect((await cut(run)).chains.map(({ chain }) => chain)).toEqual([1, 4])
  })

  test('that are all warmup have no posterior', async () => {
    const tree = await settled(await scalarRun({ 0: { length: 3, warmup: 3 }, 1: { length: 4, warmup: 3 } }))
    expect(tree.groups.map(({ name }) => name)).toEqual(['warmup_posterior'])
  })

  test('grow, and a reader of before still reads what it had', async () => {
    const run = await scalarRun({ 0: { length: 3 } })
    const tree = await settled(run)
    const chain = await run.getChain(0)
    await chain?.appendBatch({ count: 2, draws: new Map([['x', floats([2])]]) })
    expect(await doubles(run, tree, 'posterior/x', 0, 0, 5)).toEqual([0, 1, 2, NaN, NaN])
    expect(await settled(run)).not.toBe(tree)
    expect(await settled(run)).toBe(await settled(run))
  })
})

describe('stats', () => {
  test('of several samplers lie side by side, in a dtype that takes them all', async () => {
    const run = await runOf({
      variables: [{ name: 'x', dtype: 'float64' }],
      sampleStats: [
        { name: 'sampler_1__tree_size', dtype: 'float64', shape: [2] },
        { name: 'sampler_0__tree_size', dtype: 'int16', shape: [2] },
        { name: 'sampler_0__tune', dtype: 'bool' },
        { name: 'sampler_1__word', dtype: 'str' },
        { name: 'sampler_0__word', dtype: 'str' },
        { name: 'sampler_0__warning', dtype: 'str' },
      ],
    })
    const chain = await run.initChain(0)
    await chain.appendBatch({
      count: 2,
      draws: new Map([['x', floats([2])]]),
      stats: new Map<string, Draws>([
        ['sampler_1__tree_size', floats([2, 2])],
        ['sampler_0__tree_size', { dtype: 'int16', shape: [2, 2], data: Int16Array.of(10, 11, 12, 13) }],
        ['sampler_1__word', { dtype: 'str', shape: [2], data: ['é', 'b'] }],
      ]),
    })
    const tree = await settled(run)
    expect(group(tree, 'sample_stats').variables.map(({ name }) => name)).toEqual([
      ...['chain', 'draw', 'word_dim_0', 'n_steps_dim_0', 'n_steps_dim_1'],
      ...['word', 'n_steps'],
    ])
    expect(drawn(tree, 'sample_stats/n_steps')).toMatchObject({ dtype: 'float64', shape: [1, 2, 2, 2] })
    expect(await doubles(run, tree, 'sample_stats/n_steps', 0)).toEqual([10, 0, 11, 1, 12, 2, 13, 3])
    const words: unknown[] = []
    for await (const { lengths, payload } of stringRows(run, tree, drawn(tree, 'sample_stats/word'), {
      chain: 0,
      first: 0,
      count: 3,
    })) {
      words.push([[...lengths], new TextDecoder().decode(payload)])
    }
    expect(words).toEqual([[[0, 2, 0, 1], 'éb'], [[0, 0], ''].map((part) => part)])
  })

  test('that were never sent cost nothing, however large they are', async () => {
    const run = await runOf({
      variables: [{ name: 'x', dtype: 'float64' }],
      sampleStats: [{ name: 'huge', dtype: 'float64', shape: [2 ** 30] }],
    })
    await (await run.initChain(0)).append({ x: 1 })
    const tree = await settled(run)
    const rows = numberRows(run, tree, drawn(tree, 'sample_stats/huge'), { chain: 0, first: 0, count: 1 })
    const { value } = await rows.next()
    await rows.return(undefined)
    expect(value).toHaveLength(256 * 1024)
    expect(new Float64Array(value?.slice().buffer ?? new ArrayBuffer())[5]).toBeNaN()
  })
})

describe('variables', () => {
  test('without a fixed shape, of too many elements or axes are left out and named', async () => {
    const run = await runOf({
      variables: [
        { name: 'x', dtype: 'float64' },
        { name: 'path', dtype: 'float64', shape: [-1] },
        { name: 'deep', dtype: 'float64', shape: new Array<number>(40).fill(1) },
      ],
      sampleStats: [{ name: 'any', dtype: 'str', undefinedNdim: true }],
      data: [{ name: 'z', isObserved: true, value: { dtype: 'complex128', shape: [1], data: new Uint8Array(16) } }],
    })
    const tree = await settled(run)
    expect(tree.attributes['mcb.variables_left_out']).toEqual([
      'posterior/path',
      'posterior/deep',
      'sample_stats/any',
      'observed_data/z',
    ])
    expect(tree.groups).toEqual([])
  })

  test('have coordinates of their labels, and times are integers with a unit', async () => {
    const days = {
      ...encodeNdArray({ dtype: 'int64', shape: [2], data: BigInt64Array.of(18262n, -(2n ** 63n)) }),
      dtype: 'datetime64[D]',
    }
    const run = await runOf({
      variables: [
        { name: 'a', dtype: 'float64', shape: [2, 3], dims: ['day', ''] },
        { name: 'b', dtype: 'float64', shape: [2, 2], dims: ['day', 'day'] },
      ],
      coordinates: [{ name: 'day', values: days }],
    })
    await (await run.initChain(0)).append({ a: new Float64Array(6), b: new Float64Array(4) })
    const posterior = group(await settled(run), 'posterior')
    expect(posterior.variables.map(({ name, dims }) => [name, dims.join()])).toEqual([
      ...['chain', 'draw', 'day', 'a_dim_0', 'b_dim_0'].map((name) => [name, name]),
      ['a', 'chain,draw,day,a_dim_0'],
      ['b', 'chain,draw,day,b_dim_0'],
    ])
    expect(posterior.variables[2]).toMatchObject({
      kind: 'given',
      dtype: 'int64',
      attributes: { units: 'days since 1970-01-01', calendar: 'proleptic_gregorian' },
      array: { data: BigInt64Array.of(18262n, -(2n ** 63n)) },
    })
  })
})

test('ten thousand names that all become one find each another in a few attempts', async () => {
  const run = await runOf({
    variables: Array.from({ length: 10_000 }, (_, i) => ({
      name: [...i.toString(2).padStart(16, '0')].map((bit) => (bit === '1' ? 'a/' : 'a_')).join(''),
      dtype: 'float64',
    })),
  })
  const [posterior] = planOf(run.schema, run.meta).drawn
  const names = posterior?.variables.map(({ name }) => name) ?? []
  expect(new Set(names).size).toBe(10_000)
  expect(names.filter((name) => name.includes('/') || name.length > 50)).toEqual([])

  const taken = new Set(['x'])
  const free = new FreeNames()
  let asked = 0
  for (let i = 0; i < 10_000; i++) {
    const isTaken = (name: string) => {
      asked++
      return taken.has(name)
    }
    taken.add(free.find('x', isTaken))
  }
  expect(taken.size).toBe(10_001)
  expect(asked).toBeLessThan(25_000)
})
