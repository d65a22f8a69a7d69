/** Staged objects in run objects: what the catalogue knows of them, whatever is cut off, and objects that end. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { Catalogue } from '../../src/backends/durable/catalogue.ts'
import { ShardedCatalogue } from '../../src/backends/durable/sharded-catalogue.ts'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import { NEVER_ASKED, objectOf, openObjects, quiet, rowsIn, tablesIn } from './objects.ts'

const MIB = 1024 * 1024
const X = [{ name: 'x', dtype: 'float64' }]
const catalogue = new ShardedCatalogue(env.CATALOGUE)
let tenant: string
let tenants = 0
let store: ReturnType<typeof openObjects>

beforeEach(() => {
  tenant = `staging-${++tenants}`
  store = openObjects(tenant)
})
afterAll(quiet)

const heldRids = async () => (await catalogue.held(tenant, 9)).flatMap(({ rids }) => rids)
const bytesOf = (length: number) => new Uint8Array(length).fill(length)
const alarm = (rid: string) => runDurableObjectAlarm(objectOf(rid, tenant))

async function give(rid: string, other: Catalogue): Promise<void> {
  await runInDurableObject(objectOf(rid, tenant), (object) => {
    object.catalogue = other
  })
}

test('the catalogue knows of the first object before its sender does, and of its run never', async () => {
  await store.stage('r', 'zarr.json', bytesOf(10))
  expect(await heldRids()).toEqual(['r'])
  expect(await store.usage()).toEqual({ runs: 0, bytes: 119 })
  expect((await store.list({ limit: 9, terms: [] })).runs).toEqual([])
  // Told twice that there is no run, the object does not forget what it holds.
  for (let i = 0; i < 3; i++) await alarm('r')
  await evictDurableObject(objectOf('r', tenant))
  expect(await store.staged('r', ['zarr.json'])).toEqual([bytesOf(10)])
  // The second one is told a second later.
  await store.stage('r', 'b', bytesOf(1))
  expect(await alarm('r')).toBe(true)
  expect(await store.usage()).toEqual({ runs: 0, bytes: 221 })
})

test('an object whose staged objects are forgotten, and that has no run, ends', async () => {
  await store.stage('r', 'a', bytesOf(10))
  await store.unstage('r', ['a'])
  await alarm('r')
  expect(await heldRids()).toEqual([])
  await alarm('r')
  expect(await runInDurableObject(objectOf('r', tenant), (_, state) => tablesIn(state))).toEqual([])
  expect(await alarm('r')).toBe(false)
  // And begins anew.
  await store.stage('r', 'b', bytesOf(11))
  expect(await store.listStaged('r', '')).toEqual([{ path: 'b', size: 11 }])
  expect(await heldRids()).toEqual(['r'])
})

test('asking for staged objects leaves no trace', async () => {
  expect(await store.staged('nobody', ['a'])).toEqual([undefined])
  expect(await store.listStaged('nobody', '')).toEqual([])
  await store.unstage('nobody', ['a'])
  await store.unstageAll('nobody')
  expect(await store.remove('nobody')).toBe(false)
  expect(await runInDurableObject(objectOf('nobody', tenant), (_, state) => tablesIn(state))).toEqual([])
})

test('a catalogue that cannot be reached is told later, and a tenant that is cleared then is rid of all', async () => {
  await give('r', NEVER_ASKED)
  await store.stage('r', 'a', bytesOf(10))
  expect(await heldRids()).toEqual([])
  await evictDurableObject(objectOf('r', tenant))
  expect(await alarm('r')).toBe(true)
  expect(await heldRids()).toEqual(['r'])
  await store.clear()
  expect(await store.listStaged('r', '')).toEqual([])
  expect(await store.usage()).toEqual({ runs: 0, bytes: 0 })
  expect(await runInDurableObject(objectOf('r', tenant), (_, state) => rowsIn(state))).toBe(0)
})

test('a run that is registered, deleted and registered again beside its objects', async () => {
  const backend = new StoreBackend(store)
  await store.stage('r', 'a', bytesOf(10))
  const run = await backend.initRun({ rid: 'r', variables: X })
  expect(await store.staged('r', ['a'])).toEqual([bytesOf(10)])
  expect(await heldRids()).toEqual(['r'])
  const { bytes } = await store.usage()
  await backend.deleteRun('r')
  expect(await store.usage()).toEqual({ runs: 0, bytes: 0 })
  const next = await backend.initRun({ rid: 'r', variables: X })
  expect(next.registration).not.toBe(run.registration)
  expect(await store.listStaged('r', '')).toEqual([])
  expect(await store.usage()).toEqual({ runs: 1, bytes: bytes - 111 })
})

test('more than a message holds, in one object and in several', async () => {
  const large = new Uint8Array(30 * MIB)
  for (let i = 0; i < large.length; i += 1000) large[i] = i / 1000
  await store.stage('r', 'large', large)
  for (const path of ['a', 'b']) await store.stage('r', path, large.subarray(0, MIB + 1))
  const found = await store.staged('r', ['a', 'none', 'large', 'b'])
  expect(found.map((data) => data?.length)).toEqual([MIB + 1, undefined, 30 * MIB, MIB + 1])
  expect(found[2]?.findIndex((byte, i) => byte !== large[i])).toBe(-1)
  await store.remove('r')
})

test('on D1, writers of one run at once leave what is counted, and whole objects', async () => {
  const stores = [1, 2, 3].map(() => new SqliteStore(new D1Driver(env.DB), tenant, DEFAULT_LIMITS))
  const paths = ['a', 'b', 'c']
  await Promise.all(
    stores.flatMap((each, i) =>
      Array.from({ length: 6 }, async (_, round) => {
        await each.stage('r', paths[(i + round) % 3] ?? '', new Uint8Array(MIB + 10 + i).fill(i + 1))
        if (round % 2 === 1) await each.unstage('r', [paths[round % 3] ?? ''])
      }),
    ),
  )
  const [one, two] = stores
  const listed = (await one?.listStaged('r', '')) ?? []
  const found =
    (await two?.staged(
      'r',
      listed.map(({ path }) => path),
    )) ?? []
  for (const [i, data] of found.entries()) {
    expect(data?.length).toBe(listed[i]?.size)
    expect(new Set(data).size).toBe(1)
    expect(data?.length).toBe(MIB + 9 + (data?.[0] ?? 0))
  }
  expect((await one?.usage())?.bytes).toBe(listed.reduce((n, { size }) => n + 101 + size, 0))
  await one?.remove('r')
  expect(await two?.usage()).toEqual({ runs: 0, bytes: 0 })
})
