/** Names, tags, notes and facts of runs, and finding runs by them. */
import { expect, test } from 'vitest'
import type { AboutPatch } from '../../src/core/about.ts'
import { isMcbError } from '../../src/core/errors.ts'
import type { Run, RunQuery } from '../../src/core/interfaces.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { floats } from './arrays.ts'
import type { Topic } from './suite.ts'

const X = [{ name: 'x', dtype: 'float64' }]
/** Milliseconds that the list may lag: those of docs/protocol.md §3, and as many as a busy machine adds. */
const LAG_MS = 15_000

const HOSTILE = [
  '<script>alert("x")</script>',
  'a\u0000b\u0000',
  '\u202eesrever \u2067\u061c',
  '\u001b[2J\u001b]0;title\u0007\r\n\t',
  "'; DROP TABLE runs; -- \\ \\0 \\n",
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧 é é ﷽',
  '__proto__',
  '',
]

const ATTRIBUTES: { readonly [key: string]: mcbackend.ExtendedValue.$Properties } = {
  model: { stringValue: 'eight schools' },
  cores: { numberValue: 4 },
  zero: { numberValue: -0 },
  rate: { numberValue: 0.1 },
  nan: { numberValue: Number.NaN },
  infinite: { numberValue: Number.POSITIVE_INFINITY },
  tuned: { boolValue: true },
  nothing: { nullValue: 0 },
  'a.b=c&d': { stringValue: 'x\u0000y' },
  four: { stringValue: '4' },
  long: { stringValue: 'l'.repeat(1024) },
  longer: { stringValue: 'l'.repeat(1025) },
  tree: { structValue: { fields: { deep: { numberValue: 1 } } } },
  list: { listValue: { values: [{ boolValue: true }, { nullValue: 0 }] } },
  grid: {
    ndarrayValue: { dtype: 'int64', shape: [2, 1], strides: [8, 8], order: 'C', data: int64Bytes([1n, 2n ** 60n]) },
  },
}

function int64Bytes(values: readonly bigint[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigInt64Array.from(values).buffer)
}

const NEW = { name: null, tags: [], notes: null, archived: false, facts: {}, diagnostics: null }

async function refused(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return isMcbError(error) ? error.code : String(error)
}

export const about: Topic = {
  name: 'about',
  reads: false,
  define(suite) {
    const newRun = (attributes: typeof ATTRIBUTES = {}) =>
      suite.backend.initRun({ rid: suite.newRid(), variables: X, attributes })
    const elsewhere = async (run: Run) => {
      const other = await suite.other.getRun(run.rid)
      if (other === undefined) throw new Error(`run "${run.rid}" is not seen from elsewhere`)
      return other
    }
    /** Rids of the runs of this topic that a question finds, in the list's order, as long as the list may lag. */
    const finds = (query: RunQuery, among: readonly Run[], expected: readonly Run[]) => {
      const rids = new Set(among.map(({ rid }) => rid))
      const found = async () => {
        const all: string[] = []
        let cursor: string | undefined
        do {
          const page = await suite.other.listRuns({ ...query, limit: 1000, cursor })
          all.push(...page.runs.map(({ rid }) => rid))
          cursor = page.nextCursor
        } while (cursor !== undefined)
        return all.filter((rid) => rids.has(rid))
      }
      return expect.poll(found, { timeout: LAG_MS, interval: 100 }).toEqual(expected.map(({ rid }) => rid))
    }

    test('a new run has none, and its attributes are plain', async () => {
      const run = await newRun(ATTRIBUTES)
      const first = await run.about()
      expect(first).toMatchObject({
        ...NEW,
        rid: run.rid,
        variables: 1,
        sampleStats: 0,
        chains: 0,
        draws: 0,
        state: 'live',
      })
      expect(first.attributes).toEqual({
        model: 'eight schools',
        cores: 4,
        zero: first.attributes.zero,
        rate: 0.1,
        nan: 'NaN',
        infinite: 'Infinity',
        tuned: true,
        nothing: null,
        'a.b=c&d': 'x\u0000y',
        four: '4',
        long: 'l'.repeat(1024),
        longer: 'l'.repeat(1025),
        tree: { deep: 1 },
        list: [true, null],
        grid: [[1], [String(2n ** 60n)]],
      })
      expect(Object.is(first.attributes.zero, -0)).toBe(true)
      const second = await (await elsewhere(run)).about()
      expect(second.etag).toBe(first.etag)
    })

    test('a patch changes its members alone, and null resets one', async () => {
      const run = await newRun()
      const { etag, updatedAt } = await run.about()
      const facts = { expected: { draws: 10, warmup: 5 }, chains: { 0: { seed: 1 }, 1: { seed: 2 } } }
      const named = await run.setAbout({ name: 'Eight', tags: ['a', 'b', 'a'], notes: 'n', archived: true, facts })
      expect(named).toMatchObject({ name: 'Eight', tags: ['a', 'b'], notes: 'n', archived: true, facts })
      expect(named.etag).not.toBe(etag)
      expect(named.updatedAt).toEqual(updatedAt)
      await run.setAbout({ facts: { chains: { 0: null, 1: { stepSize: 0.5 } }, expected: null, list: [null, {}] } })
      await run.setAbout({ tags: ['c'], notes: null })
      const expected = {
        ...{ name: 'Eight', tags: ['c'], notes: null, archived: true },
        facts: { chains: { 1: { seed: 2, stepSize: 0.5 } }, list: [null, {}] },
      }
      expect(await run.about()).toMatchObject(expected)
      expect(await (await elsewhere(run)).about()).toMatchObject(expected)
      const reset = await run.setAbout({ name: null, tags: null, archived: null, facts: null })
      expect(reset).toMatchObject(NEW)
    })

    test('hostile texts come back as they are, in the list as well', async () => {
      const run = await newRun()
      for (const [i, text] of HOSTILE.entries()) {
        const patch = {
          ...{ name: text, notes: text.repeat(100), tags: [`${i}`, text || 'empty'] },
          facts: Object.fromEntries([[text, { [text]: [text] }]]),
        }
        await run.setAbout({ facts: null })
        await run.setAbout(patch)
        expect(await (await elsewhere(run)).about()).toMatchObject(patch)
      }
      const [name = ''] = HOSTILE
      for (const text of suite.cases(HOSTILE)) {
        await run.setAbout({ name: text, tags: [text || name] })
        await finds({ tag: [text || name] }, [run], [run])
        await finds({ q: text.toUpperCase() }, [run], [run])
        const { runs } = await suite.other.listRuns({ limit: 1000, tag: [text || name] })
        expect(runs.find(({ rid }) => rid === run.rid)).toMatchObject({ name: text, tags: [text || name] })
      }
    })

    test('null within facts is kept, and what JSON has not is refused', async () => {
      const run = await newRun()
      await run.setAbout({ facts: { list: [null, { a: null, b: 2n ** 70n }], rhat: 1.5 } })
      const { facts } = await run.about()
      expect(facts).toEqual({ list: [null, { a: null, b: 2n ** 70n }], rhat: 1.5 })
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
        expect(await refused(run.setAbout({ facts: { rhat: bad } }))).toBe('invalid_about')
      expect((await run.about()).facts).toEqual(facts)
    })

    test('the longest texts are kept, and longer ones refused', async () => {
      const run = await newRun()
      const longest = {
        name: '𝔘'.repeat(200),
        notes: '\u0000'.repeat(64 * 1024),
        tags: Array.from({ length: 50 }, (_, i) => `${'𝔘'.repeat(62)}${i + 10}`),
        facts: { inverseMetric: 'm'.repeat(1024 * 1024 - 20) },
      }
      await run.setAbout(longest)
      const { etag, ...kept } = await run.about()
      expect(kept).toMatchObject(longest)
      const bad: AboutPatch[] = [
        { name: 'a'.repeat(201) },
        { notes: 'é'.repeat(32 * 1024 + 1) },
        { tags: Array.from({ length: 51 }, (_, i) => `${i}`) },
        { tags: ['a'.repeat(65)] },
        { facts: { more: 'than fits' } },
      ]
      for (const patch of bad) expect(await refused(run.setAbout(patch))).toBe('invalid_about')
      expect((await run.about()).etag).toBe(etag)
    })

    test('of two changes that race, If-Match decides', async () => {
      const run = await newRun()
      const other = await elsewhere(run)
      for (let round = 0; round < suite.rounds(8, 2); round++) {
        const { etag } = await run.about()
        const both = [run.setAbout({ name: 'a' }, { ifMatch: etag }), other.setAbout({ name: 'b' }, { ifMatch: etag })]
        const settled = await Promise.allSettled(both)
        const winners = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value.name] : []))
        const losers = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
        expect(winners).toHaveLength(1)
        expect(losers.map((error) => isMcbError(error) && error.code)).toEqual(['about_changed'])
        expect((await run.about()).name).toBe(winners[0])
      }
      expect(await refused(run.setAbout({ name: 'c' }, { ifMatch: '"old"' }))).toBe('about_changed')
      expect((await run.setAbout({ name: 'd' }, { ifMatch: '*' })).name).toBe('d')
    })

    test('changes without a condition follow each other, and none is lost', async () => {
      const run = await newRun()
      const other = await elsewhere(run)
      const names = Array.from({ length: suite.rounds(12, 4) }, (_, i) => `fact${i}`)
      await Promise.all(names.map((name, i) => (i % 2 === 0 ? run : other).setAbout({ facts: { [name]: i } })))
      expect((await run.about()).facts).toEqual(Object.fromEntries(names.map((name, i) => [name, i])))
    })

    test('a run that is registered again begins without', async () => {
      const run = await newRun()
      await run.setAbout({ name: 'first', tags: ['again'], facts: { finishedAt: 'now' } })
      await finds({ tag: ['again'] }, [run], [run])
      await suite.backend.deleteRun(run.rid)
      expect(await refused(run.about())).toMatch(/^run_(not_found|replaced)$/)
      expect(await refused(run.setAbout({ name: 'late' }))).toMatch(/^run_(not_found|replaced)$/)
      const again = await suite.backend.initRun({ rid: run.rid, variables: X })
      expect(await again.about()).toMatchObject(NEW)
      await finds({ tag: ['again'] }, [again], [])
      await finds({ q: again.rid }, [again], [again])
    })

    test('a run is done when its facts or its lengths say so', async () => {
      const run = await newRun()
      const chains = [await run.initChain(0), await run.initChain(1)]
      const append = (i: number, count: number) => {
        const draws = new Map([['x', floats([count], new Array<number>(count).fill(1))]])
        return chains[i]?.appendBatch({ start: 0, count, draws })
      }
      await append(0, 3)
      expect((await run.setAbout({ facts: { expected: { draws: 2, warmup: 1 } } })).state).toBe('live')
      await append(1, 3)
      expect((await run.about()).state).toBe('done')
      expect((await run.setAbout({ facts: { expected: { draws: 3 }, finishedAt: null } })).state).toBe('live')
      expect((await run.setAbout({ facts: { finishedAt: '2026-11-28T10:00:00Z' } })).state).toBe('done')
    })

    test('runs are found by name, tags, attributes and times', async () => {
      const runs: Run[] = []
      for (let i = 0; i < 4; i++) {
        runs.unshift(
          await newRun(i % 2 === 0 ? ATTRIBUTES : { cores: { stringValue: '4' }, model: { stringValue: 'other' } }),
        )
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      const [d, c, b, a] = runs
      if (a === undefined || b === undefined || c === undefined || d === undefined)
        throw new Error('four runs were made')
      await a.setAbout({ name: 'ΣΊΣΥΦΟΣ Straße', tags: ['one', 'two'] })
      await b.setAbout({ tags: ['two'] })
      await c.setAbout({ tags: ['two', 'one'], archived: true })
      const cases: readonly (readonly [RunQuery, readonly Run[]])[] = [
        [{}, [d, b, a]],
        [{ archived: 'any' }, runs],
        [{ archived: 'true' }, [c]],
        [{ q: 'σίσυφοσ STRA' }, [a]],
        [{ q: 'φο' }, [a]],
        [{ q: b.rid.toUpperCase() }, [b]],
        [{ q: 'nowhere at all' }, []],
        [{ tag: ['two'] }, [b, a]],
        [{ tag: ['two', 'one'], archived: 'any' }, [c, a]],
        [{ tag: ['One'] }, []],
        [{ attr: [['cores', '4']] }, [d, b, a]],
        [{ attr: [['cores', '4.0e0']] }, [a]],
        [{ attr: [['cores', '4.0']], archived: 'any' }, [c, a]],
        [{ attr: [['four', '4']] }, [a]],
        [{ attr: [['four', '4.0']] }, []],
        [{ attr: [['zero', '0']] }, [a]],
        [{ attr: [['nan', 'NaN']] }, [a]],
        [{ attr: [['infinite', 'Infinity']] }, [a]],
        [{ attr: [['infinite', '1e400']] }, []],
        [{ attr: [['tuned', 'true']] }, [a]],
        [{ attr: [['nothing', 'null']] }, [a]],
        [{ attr: [['a.b=c&d', 'x\u0000y']] }, [a]],
        [{ attr: [['long', 'l'.repeat(1024)]] }, [a]],
        [{ attr: [['longer', 'l'.repeat(1025)]] }, []],
        [{ attr: [['tree', '1']] }, []],
        [
          {
            attr: [
              ['model', 'other'],
              ['cores', '4'],
            ],
            tag: ['two'],
          },
          [b],
        ],
      ]
      for (const [query, found] of cases) await finds(query, runs, found)

      const times = await Promise.all(runs.map(async (run) => (await run.about()).createdAt))
      const [, , ofB, ofA] = times
      await finds({ since: ofB }, runs, [d, b])
      await finds({ until: ofB }, runs, [a])
      await finds({ since: ofA, until: ofB }, runs, [a])
      const before = new Date(Date.now() + 1)
      await new Promise((resolve) => setTimeout(resolve, 20))
      await finds({ updatedSince: before }, runs, [])
      await b.initChain(0)
      await finds({ updatedSince: before, archived: 'any' }, runs, [b])
    })

    test('a question may have as many conditions as there are', async () => {
      const names = Array.from({ length: 10 }, (_, i) => `a${i}`)
      const run = await newRun(Object.fromEntries(names.map((name, i) => [name, { numberValue: i }])))
      const tags = Array.from({ length: 50 }, (_, i) => `tag ${i}`)
      await run.setAbout({ name: 'many', tags })
      const { createdAt } = await run.about()
      const since = { since: createdAt, until: new Date(createdAt.getTime() + 1), updatedSince: createdAt }
      const attr = names.map((name, i) => [name, `${i}.0`] as const)
      await finds({ ...since, q: 'MANY', tag: tags, attr, archived: 'false' }, [run], [run])
      await finds({ ...since, q: 'MANY', attr, archived: 'false' }, [run], [run])
      expect(await refused(suite.backend.listRuns({ tag: [...tags, 'one more'] }))).toBe('invalid_parameter')
      expect(await refused(suite.backend.listRuns({ attr: [...attr, ['x', 'y']] }))).toBe('invalid_parameter')
    })

    test('pages of what is found hold it once', async () => {
      const runs: Run[] = []
      for (let i = 0; i < 7; i++) {
        const run = await newRun()
        if (i !== 3) await run.setAbout({ tags: ['paged'], archived: i === 5 })
        if (i !== 3 && i !== 5) runs.unshift(run)
      }
      await finds({ tag: ['paged'] }, runs, runs)
      const paged: string[] = []
      let cursor: string | undefined
      do {
        const page = await suite.other.listRuns({ tag: ['paged'], limit: 2, cursor })
        paged.push(...page.runs.map(({ rid }) => rid))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      expect(paged).toEqual(runs.map(({ rid }) => rid))
    })
  },
}
