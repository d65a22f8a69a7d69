/** The list of runs: pages and changes that come together, its order, its pace, and its address. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ListQuery } from '../../web/src/api/run.ts'
import type { Diagnostics, RunLine, RunPage } from '../../web/src/api/shapes.ts'
import { addressOf, placeOf } from '../../web/src/app/place.ts'
import { expectedOf } from '../../web/src/screens/runs/expected.ts'
import { firstSteps } from '../../web/src/screens/runs/first-steps.ts'
import {
  FIRST_LIST,
  type ListView,
  listQueryOf,
  listViewOf,
  SHOWN,
  SORTS,
  serverQuery,
  sortedBy,
} from '../../web/src/screens/runs/list-view.ts'
import { Looker } from '../../web/src/screens/runs/look.ts'
import { etaOf, Paces } from '../../web/src/screens/runs/pace.ts'
import { countsOf, rowsOf } from '../../web/src/screens/runs/rows.ts'
import { RunLines } from '../../web/src/screens/runs/run-lines.ts'
import { ago } from '../../web/src/screens/runs/when.ts'

const BEGIN = Date.parse('2026-11-28T08:00:00Z')
const at = (ms: number) => new Date(BEGIN + ms).toISOString()

function line(rid: string, more: Partial<RunLine> = {}): RunLine {
  return {
    rid,
    createdAt: at(0),
    updatedAt: at(0),
    variables: 1,
    sampleStats: 0,
    chains: 4,
    draws: 0,
    name: null,
    tags: [],
    archived: false,
    state: 'live',
    diagnostics: null,
    ...more,
  }
}

function diagnostics(more: Partial<Diagnostics> = {}): Diagnostics {
  return {
    draws: 100,
    rhat: 1.01,
    essBulk: 200,
    essTail: 100,
    divergences: 0,
    bfmi: 0.9,
    status: 'ok',
    at: at(0),
    ...more,
  }
}

/** A server's list, with a clock that moves, and lines that are seen up to 2 s late. */
class Server {
  readonly runs: RunLine[] = []
  now = 0
  private made = 0

  register(rid: string): void {
    if (this.runs.some((run) => run.rid === rid)) return
    // The same milliseconds happen.
    this.runs.unshift(line(rid, { createdAt: at(this.now), updatedAt: at(this.now), sampleStats: this.made++ }))
  }

  change(rid: string, change: (run: RunLine) => Partial<RunLine>): void {
    const i = this.runs.findIndex((run) => run.rid === rid)
    const run = this.runs[i]
    if (run !== undefined) this.runs[i] = { ...run, ...change(run) }
  }

  delete(rid: string): void {
    const i = this.runs.findIndex((run) => run.rid === rid)
    if (i >= 0) this.runs.splice(i, 1)
  }

  /** As `GET /v1/runs`: a cursor is a place in the list, not a number of lines. */
  page({ updatedSince, cursor }: ListQuery, limit: number): RunPage {
    const before = cursor === undefined ? Number.POSITIVE_INFINITY : Number(cursor)
    const found = this.runs.filter(
      (run) => run.sampleStats < before && (updatedSince === undefined || run.updatedAt >= updatedSince),
    )
    const runs = found.slice(0, limit)
    const last = runs.at(-1)
    return found.length > limit && last !== undefined ? { runs, nextCursor: String(last.sampleStats) } : { runs }
  }
}

type Step =
  | { readonly kind: 'register' | 'append' | 'rename' | 'delete'; readonly run: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'look' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('register' as const), run: fc.nat(12) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), run: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('rename' as const, 'delete' as const), run: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 900, 70_000, 100_000) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'look' as const }) },
)

function take(server: Server, each: Exclude<Step, { readonly kind: 'look' }>): void {
  if (each.kind === 'wait') {
    server.now += each.ms
    return
  }
  const rid = `r${each.run}`
  if (each.kind === 'register') server.register(rid)
  else if (each.kind === 'delete') server.delete(rid)
  else if (each.kind === 'append') server.change(rid, ({ draws }) => ({ draws: draws + 1, updatedAt: at(server.now) }))
  else server.change(rid, () => ({ name: `named at ${server.now}` }))
}

test('whatever is written between the pages of a look, the list is the server’s in the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), async (steps, limit) => {
      const server = new Server()
      for (let run = 0; run < 6; run++) server.register(`r${run}`)
      const lines = new RunLines()
      const rest = [...steps]
      const list = (query: ListQuery): Promise<RunPage> => {
        const page = server.page(query, limit)
        // Others write until the next page is asked for.
        for (let next = rest[0]; next !== undefined && next.kind !== 'look'; next = rest[0]) {
          rest.shift()
          take(server, next)
        }
        return Promise.resolve(page)
      }
      const looker = new Looker(lines, list, ({ runs }) => lines.merge(runs, server.now))
      while (rest.length > 0) {
        if (rest[0]?.kind === 'look') rest.shift()
        await looker.changes()
      }
      // Changes alone know of every write …
      await looker.changes()
      for (const run of server.runs) {
        expect(lines.get(run.rid)).toMatchObject({
          draws: run.draws,
          updatedAt: run.updatedAt,
          createdAt: run.createdAt,
        })
      }
      // … and a look at all knows what is gone, and what is called otherwise.
      await looker.all()
      const byRid = (a: RunLine, b: RunLine) => (a.rid < b.rid ? -1 : 1)
      const known = lines.values().sort(byRid)
      expect(known.map(({ rid, draws }) => [rid, draws])).toEqual(
        [...server.runs].sort(byRid).map(({ rid, draws }) => [rid, draws]),
      )
      expect(known.map(({ name }) => name)).toEqual([...server.runs].sort(byRid).map(({ name }) => name))
    }),
    { numRuns: 300 },
  )
})

test('what this page has changed is not undone by answers from before', () => {
  const lines = new RunLines()
  lines.merge([line('a'), line('b')], 0)
  lines.put(line('a', { name: 'new' }), 1000)
  lines.merge([line('a', { draws: 7 })], 2000)
  expect(lines.get('a')).toMatchObject({ name: 'new', draws: 7 })
  lines.merge([line('a', { name: 'newer' })], 9000)
  expect(lines.get('a')?.name).toBe('newer')
  lines.drop('b')
  lines.merge([line('b')], 9000)
  expect(lines.get('b')).toBeUndefined()
  lines.merge([line('b', { createdAt: at(1) })], 9000)
  expect(lines.get('b')?.createdAt).toBe(at(1))
})

test('a line in which nothing is new stays the same object', () => {
  const lines = new RunLines()
  expect(lines.merge([line('a', { tags: ['x'] })])).toHaveLength(1)
  const before = lines.get('a')
  expect(lines.merge([line('a', { tags: ['x'] })])).toHaveLength(0)
  expect(lines.get('a')).toBe(before)
  expect(lines.merge([line('a', { tags: ['y'] })])).toHaveLength(1)
})

test('draws a second are of the server’s moments, and of one run of a name', () => {
  const paces = new Paces()
  paces.note(line('a', { draws: 100, updatedAt: at(0) }))
  expect(paces.of('a')).toBeUndefined()
  paces.note(line('a', { draws: 300, updatedAt: at(2000) }))
  expect(paces.of('a')).toBe(100)
  paces.note(line('a', { draws: 300, updatedAt: at(2000) }))
  expect(paces.of('a')).toBe(100)
  paces.note(line('a', { draws: 10, updatedAt: at(3000) }))
  expect(paces.of('a')).toBeUndefined()
  paces.note(line('a', { draws: 10, updatedAt: at(3000), state: 'silent' }))
  paces.note(line('a', { draws: 40, updatedAt: at(90_000) }))
  expect(paces.of('a')).toBeUndefined()
})

test('old looks do not count for a rate, nor are more kept than that needs', () => {
  const paces = new Paces()
  for (let s = 0; s <= 600; s++)
    paces.note(line('a', { draws: s < 500 ? 10 * s : 5000 + (s - 500), updatedAt: at(1000 * s) }))
  expect(paces.of('a')).toBe(1)
})

test('the time to an ESS of 400', () => {
  const live = (more: Partial<Diagnostics>, run: Partial<RunLine> = {}) =>
    line('a', { diagnostics: diagnostics(more), ...run })
  // 400 draws have 100; 1,200 more are needed, at 10 a second.
  expect(etaOf(live({}), 10)).toEqual({ kind: 'left', seconds: 120 })
  // A minute of them has passed since the figures were computed.
  expect(etaOf(live({}, { updatedAt: at(60_000) }), 10)).toEqual({ kind: 'left', seconds: 60 })
  expect(etaOf(live({}, { updatedAt: at(600_000) }), 10)).toEqual({ kind: 'left', seconds: 0 })
  expect(etaOf(live({ rhat: 1.06 }), 10)).toEqual({ kind: 'rhat' })
  expect(etaOf(live({ rhat: null }), 10)).toEqual({ kind: 'left', seconds: 120 })
  expect(etaOf(live({ essBulk: 400, essTail: 400, rhat: 2 }), 10)).toEqual({ kind: 'reached' })
  expect(etaOf(live({ essBulk: 900, essTail: null }), 10)).toEqual({ kind: 'reached' })
  for (const [run, rate] of [
    [line('a'), 10],
    [live({ essBulk: null, essTail: null }), 10],
    [live({}), undefined],
    [live({}), 0],
    [live({}, { state: 'silent' }), 10],
  ] as const) {
    expect(etaOf(run, rate)).toEqual({ kind: 'unknown' })
  }
})

test('expected draws are of facts that somebody wrote', () => {
  expect(expectedOf({ expected: { draws: 1000, warmup: 500 } })).toBe(1500)
  expect(expectedOf({ expected: { draws: 1000 } })).toBe(1000)
  for (const expected of [undefined, null, 'x', {}, { draws: -1 }, { draws: 1.5 }, { draws: 10, warmup: 'x' }]) {
    expect(expectedOf({ expected })).toBeUndefined()
  }
})

const view: fc.Arbitrary<ListView> = fc.record({
  q: fc.string({ unit: 'grapheme' }),
  tags: fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 3 }),
  since: fc.constantFrom('', '2026-11-28', '2026-11-28T09:30:00+01:00'),
  until: fc.constantFrom('', '2026-12-01'),
  attr: fc.array(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })), {
    maxLength: 3,
  }),
  archived: fc.constantFrom('false' as const, 'true' as const, 'any' as const),
  shown: fc.constantFrom(...SHOWN),
  sort: fc.constantFrom(...SORTS),
  order: fc.constantFrom('rising' as const, 'falling' as const),
})

test('a list is the same behind its address', () => {
  fc.assert(
    fc.property(view, (given) => {
      const address = addressOf({ screen: 'runs', query: listQueryOf(given) })
      const { pathname, search } = new URL(address, 'http://localhost')
      const place = placeOf(pathname, search)
      if (place.screen !== 'runs') throw new Error(address)
      expect(listViewOf(place.query)).toEqual(given)
    }),
  )
})

test('addresses as people write them', () => {
  const viewAt = (query: string) => {
    const place = placeOf('/ui/', query)
    return place.screen === 'runs' ? listViewOf(place.query) : undefined
  }
  expect(addressOf({ screen: 'runs', query: listQueryOf(FIRST_LIST) })).toBe('/ui/')
  expect(viewAt('?sort=-rhat')).toEqual({ ...FIRST_LIST, sort: 'rhat', order: 'falling' })
  expect(viewAt('?sort=rhat&state=problem&tag=a&tag=b&attr.model=x=y')).toEqual({
    ...FIRST_LIST,
    sort: 'rhat',
    order: 'rising',
    shown: 'problem',
    tags: ['a', 'b'],
    attr: [['model', 'x=y']],
  })
  expect(viewAt('?sort=nothing&state=odd&archived=maybe&other=1')).toEqual(FIRST_LIST)
  expect(serverQuery(FIRST_LIST)).toEqual({})
})

test('a head sorts the worst first, then the other way', () => {
  const byRhat = sortedBy(FIRST_LIST, 'rhat')
  expect(byRhat).toMatchObject({ sort: 'rhat', order: 'falling' })
  expect(sortedBy(byRhat, 'rhat')).toMatchObject({ sort: 'rhat', order: 'rising' })
  expect(sortedBy(byRhat, 'ess')).toMatchObject({ sort: 'ess', order: 'rising' })
})

test('rows are those of the view, in its order, and what is not known comes last', () => {
  const lines = [
    line('c', { createdAt: at(1), diagnostics: diagnostics({ rhat: 1.5, status: 'fail' }) }),
    line('b', { createdAt: at(2), name: 'ÄRGER', state: 'done', diagnostics: diagnostics({ rhat: 1.0 }) }),
    line('a', { createdAt: at(3), tags: ['paper'], state: 'silent' }),
    line('d', { createdAt: at(4), archived: true }),
  ]
  const rids = (change: Partial<ListView>) =>
    rowsOf(lines, { ...FIRST_LIST, ...change }, () => 5)
      .map((row) => row.line.rid)
      .join('')
  expect(rids({})).toBe('abc')
  expect(rids({ order: 'rising' })).toBe('cba')
  expect(rids({ sort: 'rhat', order: 'falling' })).toBe('cba')
  expect(rids({ sort: 'rhat', order: 'rising' })).toBe('bca')
  expect(rids({ sort: 'name', order: 'rising' })).toBe('acb')
  expect(rids({ shown: 'problem' })).toBe('c')
  expect(rids({ shown: 'done' })).toBe('b')
  expect(rids({ q: 'ärg' })).toBe('b')
  expect(rids({ tags: ['paper'] })).toBe('a')
  expect(rids({ archived: 'any' })).toBe('dabc')
  expect(rids({ archived: 'true' })).toBe('d')
  expect(countsOf(lines)).toEqual({ live: 2, all: 4 })
})

test('the longer ago, the coarser', () => {
  const now = BEGIN + 10 * 86_400_000
  expect(ago(new Date(now - 5_000).toISOString(), now)).toBe('now')
  expect(ago(new Date(now - 130_000).toISOString(), now)).toBe('2 min')
  expect(ago(new Date(now - 3 * 3_600_000).toISOString(), now)).toBe('3 h')
  expect(ago(new Date(now + 5_000).toISOString(), now)).toBe('now')
  expect(ago('2024-03-01T00:00:00.000Z', now)).toBe('2024-03-01')
})

test('first steps name the server, and a key only where it is asked for, and never which', () => {
  for (const { lines } of firstSteps('http://lab:8787', 'open')) {
    expect(lines).toContain('http://lab:8787')
    expect(lines).not.toMatch(/TOKEN|token/)
  }
  for (const { lines } of firstSteps('http://lab:8787', 'keyed')) expect(lines).toMatch(/TOKEN|token/)
})
