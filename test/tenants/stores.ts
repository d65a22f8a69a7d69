/**
 * Promises of every storage to tenants: the same run ids at once in two tenants, and neither ever reads a byte of the
 * other; the runs and bytes of a tenant are counted; and nothing is left of one that is cleared. Knows no platform.
 *
 * @example
 * tenantStores({ name: 'memory', open: async () => ({ openStore, countRows, close }) })
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DrawBatch, Draws } from '../../src/core/interfaces.ts'
import type { OpenStore } from '../../src/core/store.ts'
import { StoreBackend } from '../../src/runs/backend.ts'

export interface OpenedStores {
  /** Each call gives another store on the same data, with caches of its own. */
  readonly openStore: OpenStore
  /** Looks into the storage, past its own code: rows in which the tenant has anything. */
  countRows?(tenant: string): Promise<number>
  close(): Promise<void>
}

export interface StoresSubject {
  readonly name: string
  /** False for a storage that forgets draws. */
  readonly keepsDraws: boolean
  open(): Promise<OpenedStores>
}

const WIDTH = 50
const VARIABLES = [
  { name: 'x', dtype: 'float64', shape: [WIDTH] },
  { name: 'word', dtype: 'str' },
]

/** Draws that say whose they are, in every byte of a number and in every text. */
function batchOf(owner: number, start: number, count: number): DrawBatch {
  const x: Draws = {
    dtype: 'float64',
    shape: [count, WIDTH],
    data: Float64Array.from({ length: count * WIDTH }, (_, i) => owner * 1e6 + start * WIDTH + i),
  }
  const word: Draws = {
    dtype: 'str',
    shape: [count],
    data: Array.from({ length: count }, (_, i) => `tenant ${owner} draw ${start + i}`),
  }
  return {
    start,
    count,
    draws: new Map<string, Draws>([
      ['x', x],
      ['word', word],
    ]),
  }
}

/** Small batches that stay in a tail, some that are folded, and one that goes straight to chunks. */
const BATCHES = [1, 40, 700, 3, 1, 25, 300]
const LENGTH = BATCHES.reduce((n, count) => n + count, 0)
const RIDS = ['same', 'same-too']
const CHAINS = [0, 1]

async function write(backend: StoreBackend, owner: number, rid: string): Promise<void> {
  const run = await backend.initRun({ rid, variables: VARIABLES, attributes: { owner: { numberValue: owner } } })
  await Promise.all(
    CHAINS.map(async (number) => {
      const chain = await run.initChain(number)
      let start = 0
      for (const count of BATCHES) start = await chain.appendBatch(batchOf(owner, start, count))
    }),
  )
}

async function expectOwn(backend: StoreBackend, owner: number): Promise<void> {
  const { runs } = await backend.listRuns({ limit: 1000 })
  expect(runs.map(({ rid }) => rid).sort()).toEqual(RIDS)
  const whole = batchOf(owner, 0, LENGTH).draws
  for (const rid of RIDS) {
    const run = await backend.getRun(rid)
    expect(run?.meta.attributes.owner?.numberValue).toBe(owner)
    const chains = (await run?.getChains()) ?? []
    expect(chains.map(({ number }) => number)).toEqual(CHAINS)
    for (const chain of chains) {
      expect(await chain.length()).toBe(LENGTH)
      expect(await chain.getDraws('x')).toEqual(whole.get('x'))
      expect(await chain.getDraws('word')).toEqual(whole.get('word'))
    }
  }
}

let tenants = 0
const newTenant = () => `tenant-${++tenants}`

export function tenantStores(subject: StoresSubject): void {
  describe(`tenants on ${subject.name}`, () => {
    let opened: OpenedStores
    beforeAll(async () => {
      opened = await subject.open()
    }, 120_000)
    afterAll(() => opened?.close(), 120_000)

    const openFor = (tenant: string) => new StoreBackend(opened.openStore(tenant))
    const countRows = async (tenant: string) => (await opened.countRows?.(tenant)) ?? 0
    const usageOf = (tenant: string, expected: object) =>
      expect.poll(() => opened.openStore(tenant).usage(), { timeout: 20_000 }).toMatchObject(expected)

    test('two with the same run ids write at once, and each has its own', async () => {
      const owners = [1, 2].map((owner) => ({ owner, tenant: newTenant() }))
      await Promise.all(owners.flatMap(({ owner, tenant }) => RIDS.map((rid) => write(openFor(tenant), owner, rid))))
      if (subject.keepsDraws) for (const { owner, tenant } of owners) await expectOwn(openFor(tenant), owner)
      const [first, second] = owners.map(({ tenant }) => tenant)
      const registrationOf = async (tenant = '') => (await openFor(tenant).getRun('same'))?.registration ?? ''
      // Knowing a registration of another tenant helps nobody.
      const stolen = await registrationOf(second)
      expect(stolen).not.toBe(await registrationOf(first))
      const thief = opened.openStore(first ?? '')
      for (const theft of [
        () => thief.chains(stolen),
        () => thief.chain(stolen, 0),
        () => thief.read(stolen, 0, { columns: [0], slice: { stop: 1 } }),
        () => thief.append(stolen, 0, new Uint8Array([16, 1])),
        () => thief.createChain(stolen, 9),
      ]) {
        const outcome = await theft().catch((error: unknown) => error)
        if (subject.keepsDraws) expect(outcome).toMatchObject({ code: 'run_not_found' })
        else expect(outcome).toMatchObject({ code: expect.stringMatching(/not_found$/) })
      }
      await openFor(first ?? '').deleteRun('same')
      expect(await openFor(second ?? '').getRun('same')).toBeDefined()
    })

    test('a list of one run holds that run alone, of its own tenant', async () => {
      const [tenant, other] = [newTenant(), newTenant()]
      for (const rid of ['a', 'b', 'c']) await openFor(tenant).initRun({ rid, variables: VARIABLES })
      await openFor(other).initRun({ rid: 'd', variables: VARIABLES })
      const listed = async (rid: string) => (await openFor(tenant).listRuns({ rid })).runs.map((run) => run.rid)
      expect(await Promise.all(['a', 'b', 'c', 'd', 'none'].map(listed))).toEqual([['a'], ['b'], ['c'], [], []])
    })

    test('what a tenant keeps is counted, and each its own', async () => {
      const [tenant, other] = [newTenant(), newTenant()]
      await usageOf(tenant, { runs: 0, bytes: 0 })
      await write(openFor(tenant), 3, 'counted')
      await openFor(other).initRun({ rid: 'counted', variables: VARIABLES })
      const draws = CHAINS.length * LENGTH * WIDTH * 8
      await usageOf(tenant, {
        runs: 1,
        ...(subject.keepsDraws && { bytes: expect.toSatisfy((n: number) => n > draws) }),
      })
      const { bytes } = await opened.openStore(tenant).usage()
      // Texts, and what stands between them.
      expect(bytes).toBeLessThan(draws + CHAINS.length * LENGTH * 40 + 500)
      await usageOf(other, { runs: 1, bytes: expect.toSatisfy((n: number) => n > 10 && n < 200) })
      // A retry writes nothing, and counts nothing.
      const chain = await (await openFor(tenant).getRun('counted'))?.getChain(0)
      await chain?.appendBatch(batchOf(3, LENGTH - 5, 5))
      await usageOf(tenant, { runs: 1, bytes })
      await openFor(tenant).deleteRun('counted')
      await usageOf(tenant, { runs: 0, bytes: 0 })
      await usageOf(other, { runs: 1 })
    })

    test('staged objects of the same run ids belong to one tenant each, and are counted', async () => {
      const [tenant, other] = [newTenant(), newTenant()]
      const [own, others] = [opened.openStore(tenant), opened.openStore(other)]
      const bytesOf = (owner: number) => new Uint8Array(1000).fill(owner)
      await Promise.all([own.stage('same', 'a/b', bytesOf(1)), others.stage('same', 'a/b', bytesOf(2))])
      await others.stage('same', 'other', bytesOf(3))
      expect(await opened.openStore(tenant).staged('same', ['a/b', 'other'])).toEqual([bytesOf(1), undefined])
      expect(await own.listStaged('same', '')).toEqual([{ path: 'a/b', size: 1000 }])
      await usageOf(tenant, { runs: 0, bytes: 1103 })
      await own.unstage('same', ['a/b', 'other'])
      await own.unstageAll('same')
      expect(await own.remove('same')).toBe(false)
      expect(await others.staged('same', ['a/b', 'other'])).toEqual([bytesOf(2), bytesOf(3)])
      await usageOf(tenant, { runs: 0, bytes: 0 })
      await usageOf(other, { runs: 0, bytes: 2208 })
      // Those of runs that were never registered are cleared as well.
      await Promise.all(['same', 'second', 'third'].map((rid) => own.stage(rid, 'zarr.json', bytesOf(4))))
      await write(openFor(tenant), 4, 'third')
      await own.clear()
      for (const rid of ['same', 'second', 'third']) expect(await own.listStaged(rid, '')).toEqual([])
      expect(await countRows(tenant)).toBe(0)
      await usageOf(tenant, { runs: 0, bytes: 0 })
      expect(await opened.openStore(other).staged('same', ['a/b'])).toEqual([bytesOf(2)])
      await others.remove('same')
    })

    test('clearing a tenant leaves nothing of it, and all of the others', async () => {
      const [tenant, other] = [newTenant(), newTenant()]
      await Promise.all([write(openFor(tenant), 5, 'same'), write(openFor(tenant), 5, 'same-too')])
      await Promise.all([write(openFor(other), 6, 'same'), write(openFor(other), 6, 'same-too')])
      const before = await countRows(other)
      if (opened.countRows !== undefined) expect(await countRows(tenant)).toBeGreaterThan(0)
      await opened.openStore(tenant).clear()
      expect(await countRows(tenant)).toBe(0)
      expect((await openFor(tenant).listRuns()).runs).toEqual([])
      expect(await openFor(tenant).getRun('same')).toBeUndefined()
      await usageOf(tenant, { runs: 0, bytes: 0 })
      if (subject.keepsDraws) await expectOwn(openFor(other), 6)
      expect(await countRows(other)).toBe(before)
      // Once more is no error, and the tenant may begin anew.
      await opened.openStore(tenant).clear()
      await write(openFor(tenant), 7, 'same')
      const chain = await (await openFor(tenant).getRun('same'))?.getChain(1)
      if (subject.keepsDraws)
        expect(await chain?.getDraws('word', { stop: 1 })).toMatchObject({ data: ['tenant 7 draw 0'] })
    })

    test('clearing while writers write leaves nothing either', async () => {
      const tenant = newTenant()
      const backend = openFor(tenant)
      let goesOn = true
      const writing = [0, 1, 2].map(async (writer) => {
        for (let round = 0; goesOn; round++) {
          const run = await backend.initRun({ rid: `run-${writer}-${round % 3}`, variables: VARIABLES })
          const chain = await run.initChain(0)
          const length = await chain.length()
          await chain.appendBatch(batchOf(8, length, 20))
          // A backend in memory would leave no room for the one who clears.
          await new Promise((resolve) => setTimeout(resolve))
        }
      })
      const outcomes = Promise.allSettled(writing)
      await expect.poll(async () => (await backend.listRuns()).runs.length, { timeout: 20_000 }).toBeGreaterThan(4)
      await backend.retire()
      goesOn = false
      for (const outcome of await outcomes) {
        if (outcome.status === 'fulfilled') continue
        expect(outcome.reason).toMatchObject({
          code: expect.stringMatching(/^(run_not_found|chain_not_found|unauthorized)$/),
        })
      }
      expect((await openFor(tenant).listRuns()).runs).toEqual([])
      expect(await countRows(tenant)).toBe(0)
      await expect(backend.initRun({ rid: 'late', variables: VARIABLES })).rejects.toMatchObject({
        code: 'unauthorized',
      })
    })
  })
}
