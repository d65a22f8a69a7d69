/** Runs become files of Stan that are read as they were: shapes, dtypes, bits, and names that Stan could have. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createApp } from '../../../src/app.ts'
import { MemoryStore } from '../../../src/backends/memory.ts'
import { buildSchema } from '../../../src/core/draws/columns.ts'
import { sizeOf } from '../../../src/core/draws/ndarray.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { isStat } from '../../../src/core/stan/columns.ts'
import { stanOrder, writtenColumns } from '../../../src/core/stan/written-columns.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { readText } from './files.ts'

const schemaOf = (names: readonly string[], stats: readonly string[] = []) => {
  const float = (name: string) => ({ name, dtype: 'float64' })
  return buildSchema(names.map(float), stats.map(float), DEFAULT_LIMITS)
}

test('what is written is read back, bit by bit', async () => {
  const shape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 })
  const run = fc.record({
    shapes: fc.array(shape, { minLength: 1, maxLength: 3 }),
    draws: fc.integer({ min: 1, max: 5 }),
    warmup: fc.integer({ min: 0, max: 5 }),
    values: fc.array(fc.double(), { minLength: 7, maxLength: 7 }),
  })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(run, async ({ shapes, draws, warmup, values }) => {
      const backend = new StoreBackend(new MemoryStore())
      const app = createApp({ openBackend: () => backend })
      const rid = `r${++runs}`
      const opened = await backend.initRun({
        rid,
        variables: shapes.map((dims, i) => ({ name: `v${i}`, dtype: 'float64', shape: [...dims] })),
        sampleStats: [
          { name: 'tune', dtype: 'bool' },
          { name: 'diverging', dtype: 'bool' },
          { name: 'tree_depth', dtype: 'int64' },
        ],
      })
      const chain = await opened.initChain(0)
      const filled = (count: number) => Float64Array.from({ length: count }, (_, i) => values[i % values.length] ?? 0)
      await chain.appendBatch({
        count: draws,
        draws: new Map(
          shapes.map((dims, i) => [
            `v${i}`,
            { dtype: 'float64' as const, shape: [draws, ...dims], data: filled(draws * sizeOf(dims)) },
          ]),
        ),
        stats: new Map([
          [
            'tune',
            {
              dtype: 'bool' as const,
              shape: [draws],
              data: Uint8Array.from({ length: draws }, (_, i) => (i < warmup ? 1 : 0)),
            },
          ],
        ]),
      })
      const answer = await app.request(`/v1/runs/${rid}/chains/0/stan.csv`)
      const { file, rows, warmup: flags } = readText(await answer.text())
      expect(file.isComplete).toBe(true)
      expect(flags).toEqual(Array.from({ length: draws }, (_, i) => i < Math.min(warmup, draws)))
      shapes.forEach((dims, i) => {
        const group = file.columns?.draws.find(({ name }) => name === `v${i}`)
        expect(group?.shape).toEqual(dims)
        const read = rows.flatMap((row) => [...(group?.columns ?? [])].map((column) => row[column]))
        expect(read).toEqual([...filled(draws * sizeOf(dims))])
      })
    }),
    { numRuns: 60 },
  )
})

test('stats have the names of Stan, whatever the sampler called them', () => {
  const named = (...stats: string[]) =>
    writtenColumns(schemaOf(['x'], stats)).stats.map(({ name, spec }) => [name, spec.name])
  expect(named('energy', 'logp', 'mean_tree_accept')).toEqual([
    ['lp__', 'logp'],
    ['accept_stat__', 'mean_tree_accept'],
    ['energy__', 'energy'],
  ])
  expect(named('accept_prob', 'num_steps', 'is_divergent')).toEqual([
    ['accept_stat__', 'accept_prob'],
    ['n_leapfrog__', 'num_steps'],
    ['divergent__', 'is_divergent'],
  ])
  expect(named('sampler_0__depth', 'sampler_1__depth', 'log_p__')).toEqual([
    ['treedepth__', 'sampler_0__depth'],
    ['log_p__', 'log_p__'],
  ])
})

test('any names become names of variables, each once', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })
  const alike = fc.constant(['a b', 'a,b', 'a_b', 'a_b_2', 'x__', 'x_', 'z.real', 'z.imag', 'p:2', 'v[1]'])
  fc.assert(
    fc.property(fc.oneof(names, alike), (given) => {
      const written = writtenColumns(schemaOf(given)).draws.map(({ name, ending }) => `${name}${ending}`)
      expect(new Set(written).size).toBe(given.length)
      for (const name of written) {
        expect(name).toMatch(/^[\p{L}\p{M}\p{N}_]+(\.real|\.imag)?$/u)
        expect(isStat(name)).toBe(false)
      }
    }),
  )
})

test('elements come with the first index fastest', () => {
  const visited: number[][] = []
  for (const { index, place } of stanOrder([2, 3])) visited.push([...index, place])
  expect(visited).toEqual([
    [0, 0, 0],
    [1, 0, 3],
    [0, 1, 1],
    [1, 1, 4],
    [0, 2, 2],
    [1, 2, 5],
  ])
  expect([...stanOrder([])]).toEqual([{ index: [], place: 0 }])
})

test('stats of NUTS that a run has not are there where readers count them, and said to be unknown', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const app = createApp({ openBackend: () => backend })
  const linesOf = async (rid: string, variables: readonly string[], stats: readonly string[]) => {
    const run = await backend.initRun({
      rid,
      variables: variables.map((name) => ({ name, dtype: 'float64' })),
      sampleStats: [{ name: 'tune', dtype: 'bool' }, ...stats.map((name) => ({ name, dtype: 'float64' }))],
    })
    const ones = { dtype: 'float64' as const, shape: [2], data: Float64Array.of(1, 1) }
    const tune = { dtype: 'bool' as const, shape: [2], data: Uint8Array.of(stats.length === 2 ? 1 : 0, 0) }
    await (await run.initChain(0)).appendBatch({
      count: 2,
      draws: new Map(variables.map((name) => [name, ones])),
      stats: new Map<string, typeof tune | typeof ones>([
        ['tune', tune],
        ...stats.map((name) => [name, ones] as const),
      ]),
    })
    const text = await (await app.request(`/v1/runs/${rid}/chains/0/stan.csv`)).text()
    return { text, rows: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')) }
  }
  const seven = 'lp__,accept_stat__,stepsize__,treedepth__,n_leapfrog__,divergent__,energy__'.split(',')
  for (const [rid, variables, stats] of [
    ['a', ['x'], ['lp', 'energy']],
    ['b', ['x', 'y'], ['energy']],
    ['c', [], ['lp', 'energy']],
  ] as const) {
    const { text, rows } = await linesOf(rid, variables, stats)
    const [names = [], ...cells] = rows.map((line) => line.split(','))
    expect([...names].sort()).toEqual([...seven, ...variables].sort())
    expect(names[0]).toBe('lp__')
    for (const row of cells) expect([row.length, row.includes('')]).toEqual([names.length, false])
    expect(cells).toHaveLength(2)
    expect(text).toContain('not known, and so of no meaning here: accept_stat__')
  }
  const plain = await linesOf('d', ['x'], [])
  expect(plain.rows).toEqual(['lp__,x', '0,1', '0,1'])
})
