/** Draws of a run that grows: each is fetched once, and answers do not depend on how it grew. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiProblem } from '../../../web/src/api/http.ts'
import type { Answer, Ask, Choice, DrawsLink, Kind } from '../../../web/src/draws/questions.ts'
import { jsonOf } from '../../http/api.ts'
import { normal, scalar, type TestColumn, World } from './world.ts'

const ALL: Choice = { warmup: 'exclude' }
const WARMUP = 20

const COLUMNS: readonly TestColumn[] = [
  { name: 'mu', values: (chain, draw) => normal(1, chain, draw) },
  { name: 'theta', shape: [40], values: (chain, draw, element) => normal(2, chain, draw, element) },
  { name: 'k', dtype: 'int64', values: (chain, draw) => Math.round(3 * normal(3, chain, draw)) + 0 },
  { name: 'tune', group: 'stats', dtype: 'bool', values: (_, draw) => Number(draw < WARMUP) },
  { name: 'diverging', group: 'stats', dtype: 'bool', values: (chain, draw) => Number(normal(4, chain, draw) > 2) },
]

async function sampled(lengths: readonly number[], options = {}): Promise<World> {
  const world = new World(COLUMNS, options)
  await world.register()
  await grown(world, lengths)
  return world
}

async function grown(world: World, lengths: readonly number[]): Promise<void> {
  for (const [chain, length] of lengths.entries()) {
    if (length >= (world.lengths.get(chain) ?? 0)) await world.sample(chain, length)
  }
}

const convention = 'posterior'
const mu = scalar('mu')
const [one, two] = [scalar('theta', 3), scalar('theta', 17)]

/** A question of each kind. */
const QUESTIONS: { readonly [K in Kind]: Ask<K> } = {
  trace: { scalars: [mu, one], choice: { warmup: 'include' }, buckets: 10 },
  density: { scalar: one, choice: ALL, points: 100, brush: { kind: 'interval', start: 30, stop: 60 } },
  ranks: { scalar: mu, choice: ALL, bins: 10, points: 30 },
  essLocal: { scalar: mu, choice: ALL, convention, intervals: 5 },
  essQuantile: { scalar: mu, choice: ALL, convention, points: 5 },
  essEvolution: { scalar: two, choice: ALL, convention, points: 8 },
  autocorrelation: { scalar: mu, choice: ALL, lags: 10 },
  mcseQuantile: { scalar: mu, choice: ALL, convention, points: 5 },
  cloud: { x: mu, y: two, choice: ALL, bins: 10 },
  within: { x: mu, y: two, choice: ALL, area: { x: [-1, 0.5], y: [-1, 2] } },
  energies: { scalar: mu, choice: ALL, convention, points: 100 },
  chainMeans: { scalar: one, choice: ALL },
  marked: { scalars: [{ group: 'stats', name: 'diverging', element: 0 }], choice: ALL },
  sparks: { scalars: [mu, two, scalar('k')], choice: ALL, width: 100 },
  quantiles: { scalars: [mu, scalar('k')], choice: ALL, probabilities: [0, 0.5, 0.89] },
  values: { scalars: [one, two], choice: { warmup: 'include' }, most: 50 },
}

async function askAll(link: DrawsLink): Promise<unknown> {
  const ask = <K extends Kind>(kind: K): Promise<Answer<K>> => link.ask(kind, QUESTIONS[kind])
  return Promise.all((Object.keys(QUESTIONS) as Kind[]).map(ask))
}

describe('a run that grows', () => {
  it('has the answers of one that was there at once', async () => {
    const length = fc.integer({ min: 0, max: 150 })
    const steps = fc.array(fc.tuple(length, length, length), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const world = await sampled([0, 0, 0])
        const link = world.open()
        for (const lengths of given) {
          await grown(world, lengths)
          link.grow(world.lengths)
          await askAll(link)
        }
        const once = await sampled([0, 1, 2].map((chain) => world.lengths.get(chain) ?? 0))
        expect(await askAll(link)).toEqual(await askAll(once.open()))
      }),
      { numRuns: 10 },
    )
  })

  it('is asked for each draw once', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    await askAll(link)
    const first = world.requests.length
    await askAll(link)
    expect(world.requests).toHaveLength(first)
    await grown(world, [150, 100])
    link.grow(world.lengths)
    await askAll(link)
    const news = world.requests.slice(first)
    expect(news.length).toBeGreaterThan(0)
    for (const { path } of news) expect(path).toMatch(/chains\/0\/draws.*start=100&stop=150/)
    const asked = world.requests.flatMap(({ path }) =>
      columnsIn(path).map((column) => `${path.split('?')[0]}${column}`),
    )
    expect(new Set(asked).size).toBe(asked.length)
  })

  it('is fetched by several scalars a request, and by elements of what is large', async () => {
    const world = await sampled([100])
    const scalars = [mu, scalar('k'), one, two]
    await world.open().ask('values', { scalars, choice: { warmup: 'include' }, most: 100 })
    const paths = world.requests.map(({ path }) => path.split('/draws?')[1])
    expect(paths).toContain('var=mu&var=k&start=0&stop=100')
    expect(paths).toContain('var=theta&elem=3:4,17:18&start=0&stop=100')
    expect(paths).toHaveLength(3)
  })
})

/** Column, elements and draws that a request names, each by itself. */
function columnsIn(path: string): string[] {
  const query = new URLSearchParams(path.split('?')[1])
  const [start, stop] = [Number(query.get('start')), Number(query.get('stop'))]
  const names = [...query.getAll('var'), ...query.getAll('stat')]
  const elements = query.get('elem')?.split(',') ?? ['all']
  return names.flatMap((name) =>
    elements.flatMap((element) => Array.from({ length: stop - start }, (_, i) => `${name}/${element}/${start + i}`)),
  )
}

describe('warmup', () => {
  it('is left out of figures while a chain is in it, and its flags are asked for until they end', async () => {
    const world = await sampled([10, 15])
    const link = world.open()
    expect(await link.ask('quantiles', QUESTIONS.quantiles)).toMatchObject([{ count: 0 }, { count: 0 }])
    await grown(world, [40, 60])
    link.grow(world.lengths)
    expect(await link.ask('quantiles', QUESTIONS.quantiles)).toMatchObject([{ count: 40 }, { count: 40 }])
    await grown(world, [80, 60])
    link.grow(world.lengths)
    await link.ask('quantiles', QUESTIONS.quantiles)
    const flags = world.requests.filter(({ path }) => path.includes('stat=tune'))
    expect(flags.map(({ path }) => path.replace('/v1/runs/r/chains/', '')).sort()).toEqual([
      '0/draws?stat=tune&start=0&stop=10',
      '0/draws?stat=tune&start=10&stop=40',
      '1/draws?stat=tune&start=0&stop=15',
      '1/draws?stat=tune&start=15&stop=60',
    ])
  })
})

describe('figures', () => {
  it('are those of the summary, of chains of unequal lengths too', async () => {
    for (const lengths of [[120, 120, 120, 120], [150, 90, 131], [200, 200, 60, 15], [77]]) {
      const world = await sampled(lengths)
      const link = world.open()
      const columns = 'mean,sd,median,lb,ub,mcse_mean,mcse_sd,ess_bulk,ess_tail'
      const query = `var=mu&columns=${columns}&ci_kind=eti&ci_prob=0.9`
      const summary = await jsonOf(await world.call('GET', `/v1/runs/r/summary?${query}`))
      const [row] = summary.rows
      const figures = { scalar: mu, choice: ALL, convention } as const
      // As 90 % leave it to both sides.
      const edge = (1 - 0.9) / 2
      const ask = { scalars: [mu], choice: ALL, probabilities: [0.5, edge, 1 - edge] }
      const [found] = await link.ask('quantiles', ask)
      expect(found?.count).toBe(summary.draws * summary.chains.length)
      expect([found?.mean, found?.sd, ...(found?.quantiles ?? [])]).toEqual([
        row.mean,
        row.sd,
        row.median,
        row.lb,
        row.ub,
      ])
      const { draws, bulk, tail } = await link.ask('essEvolution', { ...figures, points: 10 })
      expect(draws.at(-1)).toBe(found?.count)
      expect([bulk.at(-1), tail.at(-1)]).toEqual([row.ess_bulk, row.ess_tail])
      const { mean, sd } = await link.ask('mcseQuantile', { ...figures, points: 4 })
      expect([mean, sd]).toEqual([row.mcse_mean, row.mcse_sd])
    }
  })
})

describe('memory', () => {
  it('holds no more than the budget, and what was forgotten comes again', async () => {
    const budget = 64 * 1024
    const world = await sampled([100, 100], { budget })
    const link = world.open()
    const before = await link.ask('density', QUESTIONS.density)
    for (let element = 0; element < 40; element++) {
      const scalars = [scalar('theta', element)]
      await link.ask('values', { scalars, choice: { warmup: 'include' }, most: 100 })
      expect(world.engine.shelf.bytes).toBeLessThanOrEqual(budget)
    }
    const count = world.requests.length
    expect(await link.ask('density', QUESTIONS.density)).toEqual(before)
    expect(world.requests.length).toBeGreaterThanOrEqual(count)
  })
})

describe('a question that ends', () => {
  it('asks for nothing more, and the next one gets its draws', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    const ending = new AbortController()
    const asked = link.ask('sparks', QUESTIONS.sparks, ending.signal)
    ending.abort()
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    const sparks = await link.ask('sparks', QUESTIONS.sparks)
    expect(sparks).toEqual(await (await sampled([100, 100])).open().ask('sparks', QUESTIONS.sparks))
  })

  it('leaves draws on their way that another one waits for', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    const ending = new AbortController()
    const asked = link.ask('density', QUESTIONS.density, ending.signal)
    const other = link.ask('values', QUESTIONS.values)
    world.meddle = (answer) => {
      ending.abort()
      return answer
    }
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    expect((await other).chains).toHaveLength(2)
  })

  it('ends with the run', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    const asked = link.ask('sparks', QUESTIONS.sparks)
    link.close()
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  })
})

describe('a server that fails', () => {
  it('breaks an answer off: nothing of it is kept, and it is asked for again', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    let broken = 0
    world.meddle = async (answer, path) => {
      if (!path.includes('var=mu') || broken++ > 0) return answer
      const bytes = new Uint8Array(await answer.arrayBuffer())
      return new Response(bytes.subarray(0, 500), answer)
    }
    const ask = { scalars: [mu], choice: ALL, most: 200 }
    await expect(link.ask('values', ask)).rejects.toThrow('not whole')
    const { chains } = await link.ask('values', ask)
    for (const { chain, values } of chains) expect(values[0]).toEqual(world.numbers('mu', chain).subarray(WARMUP))
  })

  it('has fewer draws than it told: nothing of the answer is kept', async () => {
    const world = await sampled([100])
    const link = world.open()
    link.grow(new Map([[0, 120]]))
    await expect(link.ask('values', QUESTIONS.values)).rejects.toThrow('100 draws, not the 120')
  })

  it('has another run under this name: the question is refused', async () => {
    const world = await sampled([100, 100])
    const link = world.open()
    await world.call('DELETE', '/v1/runs/r')
    await world.register()
    world.lengths.clear()
    await grown(world, [100, 100])
    const refused = await link.ask('values', QUESTIONS.values).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ApiProblem)
    expect(refused).toHaveProperty('code', 'run_replaced')
    expect((await world.open().ask('values', QUESTIONS.values)).chains).toHaveLength(2)
  })
})
