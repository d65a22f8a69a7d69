/** The catalogue and the run objects after an interruption at each point: one look later they agree again. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Catalogue } from '../../src/backends/durable/catalogue.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { hideRun } from '../../src/backends/sqlite/runs.ts'
import type { RunQuery } from '../../src/core/interfaces.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { DurableDriver } from '../../src/sql/object.ts'
import { answersLost, NEVER_ASKED, objectOf, openObjects, quiet, rowsIn, SILENT, shardAt, tablesIn } from './objects.ts'

const catalogue = new ShardedCatalogue(env.CATALOGUE)
const backend = new StoreBackend(openObjects())
const X = [{ name: 'x', dtype: 'float64' }]

let runs = 0
let rid = ''
beforeEach(() => {
  rid = `healing-${++runs}`
})
afterAll(quiet)

const ANSWER_LOST = answersLost(catalogue)

/** Terms in the catalogue of runs that it does not list. */
function strandedTerms(): Promise<number> {
  const sql = 'SELECT count(*) AS n FROM catalogue_terms WHERE run_id NOT IN (SELECT id FROM catalogue)'
  return runInDurableObject(shardAt(0), (_, { storage }) => {
    const [table] = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'catalogue_terms'").toArray()
    return table === undefined ? 0 : storage.sql.exec<{ n: number }>(sql).one().n
  })
}

/** Wakes the object of `rid` and gives it another catalogue. */
async function breakCatalogue(broken: Catalogue): Promise<void> {
  await runInDurableObject(objectOf(rid), (object) => {
    object.catalogue = broken
  })
}

/** A new life of the object, as after a crash: nothing in memory has survived, the catalogue is reached again. */
async function restart(): Promise<void> {
  await evictDurableObject(objectOf(rid))
}

const lines = async () =>
  (await catalogue.list('local', { limit: 1000, terms: [] })).runs.filter((run) => run.rid === rid)

function append(run: StoreRun, start: number, count: number): Promise<number> {
  const x = { dtype: 'float64', shape: [count], data: new Float64Array(count) } as const
  return run.initChain(0).then((chain) => chain.appendBatch({ start, count, draws: new Map([['x', x]]) }))
}

describe.each([
  ['the catalogue was never asked', NEVER_ASKED],
  ['its answer was lost', ANSWER_LOST],
])('%s', (_, broken) => {
  const wasAsked = broken === ANSWER_LOST ? 1 : 0

  test('at a registration: it is acknowledged, and listed later', async () => {
    await breakCatalogue(broken)
    const run = await backend.initRun({ rid, variables: X })
    expect(run.isNew).toBe(true)
    expect(await lines()).toHaveLength(wasAsked)
    // The alarm does not get through either, and tries again.
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    await restart()
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ rid, variables: 1, chains: 0, draws: 0 }])
    expect((await backend.getRun(rid))?.registration).toBe(run.registration)
  })

  test('at an update: the length is told later', async () => {
    const run = await backend.initRun({ rid, variables: X })
    await breakCatalogue(broken)
    await append(run, 0, 5)
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ draws: wasAsked * 5 }])
    await append(run, 5, 2)
    await restart()
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ chains: 1, draws: 7 }])
    // Nothing is left to be told.
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(false)
  })

  test('at a change of names: they are told later, and so are the tags by which the run is found', async () => {
    const attributes = { model: { stringValue: rid } }
    const run = await backend.initRun({ rid, variables: X, attributes })
    await run.setAbout({ name: 'first', tags: ['former'] })
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    await breakCatalogue(broken)
    await run.setAbout({ name: 'second', tags: ['present'] })
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ name: wasAsked ? 'second' : 'first' }])
    await restart()
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ name: 'second', tags: ['present'] }])
    const finds = async (query: RunQuery) => (await backend.listRuns({ ...query, q: rid })).runs.length
    expect([await finds({ tag: ['former'] }), await finds({ tag: ['present'] })]).toEqual([0, 1])
    expect(await finds({ attr: [['model', rid]] })).toBe(1)
    // Lengths alone are told without the terms, which stay.
    await append(run, 0, 3)
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect([await finds({ tag: ['present'] }), (await lines())[0]?.draws]).toEqual([1, 3])
    await backend.deleteRun(rid)
    expect(await strandedTerms()).toBe(0)
  })

  test('at a deletion: the run is gone at once, its line later, and in the end its object', async () => {
    const run = await backend.initRun({ rid, variables: X })
    await append(run, 0, 5)
    await breakCatalogue(broken)
    expect(await backend.deleteRun(rid)).toBe(true)
    expect(await backend.getRun(rid)).toBeUndefined()
    expect(await lines()).toHaveLength(1 - wasAsked)
    await restart()
    expect(await runInDurableObject(objectOf(rid), (__, state) => rowsIn(state))).toBe(0)
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toHaveLength(0)
    // Told for the second time, it forgets itself.
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await runInDurableObject(objectOf(rid), (__, state) => tablesIn(state))).toEqual([])
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(false)
  })

  test('at a deletion, and the run is registered anew before that is told', async () => {
    const former = await backend.initRun({ rid, variables: X })
    await append(former, 0, 5)
    await breakCatalogue(broken)
    await backend.deleteRun(rid)
    const run = await backend.initRun({ rid, variables: X })
    expect(run.registration).not.toBe(former.registration)
    await append(run, 0, 2)
    await restart()
    expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
    expect(await lines()).toMatchObject([{ draws: 2 }])
    await runDurableObjectAlarm(objectOf(rid))
    expect((await backend.getRun(rid))?.registration).toBe(run.registration)
    expect(await lines()).toHaveLength(1)
  })
})

test('a deletion that ended after the run was hidden is completed by the next life', async () => {
  const run = await backend.initRun({ rid, variables: X })
  await append(run, 0, 40_000)
  // The first step of `remove`; then the object crashes.
  await runInDurableObject(objectOf(rid), async (_, state) => {
    await new DurableDriver(state.storage).run(() => hideRun('local', rid))
    expect(rowsIn(state)).toBeGreaterThan(0)
    await state.storage.deleteAlarm()
  })
  await restart()
  expect(await backend.getRun(rid)).toBeUndefined()
  expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
  expect(await runInDurableObject(objectOf(rid), (_, state) => rowsIn(state))).toBe(0)
})

test('a catalogue that does not answer keeps nobody waiting for long', async () => {
  await breakCatalogue(SILENT)
  const begun = Date.now()
  await backend.initRun({ rid, variables: X })
  expect(Date.now() - begun).toBeLessThan(15_000)
  await restart()
  expect(await runDurableObjectAlarm(objectOf(rid))).toBe(true)
  expect(await lines()).toHaveLength(1)
})

test('an older word never replaces a newer one', async () => {
  const entry = {
    tenant: 'local',
    rid,
    shards: 1,
    registration: 'new',
    createdAt: 1,
    updatedAt: 2,
    variables: 1,
    sampleStats: 0,
    chains: 1,
    draws: 9,
    bytes: 0,
    version: 20,
    ...{
      shortest: 9,
      shown: '',
      folded: '',
      archived: 0,
      finished: 0,
      expected: null,
      diagnostics: null,
      terms: ['"t"'],
    },
  }
  await catalogue.put(0, entry)
  await catalogue.put(0, { ...entry, draws: 3, version: 19 })
  await catalogue.put(0, { ...entry, registration: 'old', draws: 4, version: 18 })
  await catalogue.remove(0, 'local', rid, 17)
  expect(await lines()).toMatchObject([{ draws: 9 }])
  await catalogue.remove(0, 'local', rid, 21)
  expect(await lines()).toHaveLength(0)
})

test('asking for a run that was never there leaves no trace', async () => {
  expect(await backend.getRun(rid)).toBeUndefined()
  expect(await backend.deleteRun(rid)).toBe(false)
  await runInDurableObject(objectOf(rid), async (_, state) => {
    expect(tablesIn(state)).toEqual([])
    expect(await state.storage.getAlarm()).toBeNull()
  })
})

test('the alarm of the first append serves those that follow', async () => {
  const run = await backend.initRun({ rid, variables: X })
  const alarm = () => runInDurableObject(objectOf(rid), (_, { storage }) => storage.getAlarm())
  expect(await alarm()).toBeNull()
  await append(run, 0, 1)
  const first = await alarm()
  expect(Number(first) - Date.now()).toBeLessThanOrEqual(2000)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await append(run, 1, 1)
  expect(await alarm()).toBe(first)
})

test('a crash during an announcement leaves a later alarm: the next life announces soon nevertheless', async () => {
  const run = await backend.initRun({ rid, variables: X })
  await append(run, 0, 5)
  // As a crash leaves it: the announcement's alarm has gone off, the one of a move is set.
  await runInDurableObject(objectOf(rid), (_, { storage }) => storage.setAlarm(Date.now() + 600_000))
  await restart()
  await append(run, 5, 1)
  const alarm = await runInDurableObject(objectOf(rid), (_, { storage }) => storage.getAlarm())
  expect(Number(alarm) - Date.now()).toBeLessThanOrEqual(2000)
  await expect.poll(lines).toMatchObject([{ rid, draws: 6 }])
})
