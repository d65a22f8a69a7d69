/** Objects that are full, and buckets that stay away: appends go on as far as they can, and nothing is tried without end. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { isMcbError } from '../../../src/core/errors.ts'
import type { StoreRun } from '../../../src/runs/backend.ts'
import { objectOf, quiet, tablesIn } from '../objects.ts'
import {
  A_MIB,
  appendWide,
  breakBucket,
  change,
  countIn,
  expectWide,
  keysOf,
  open,
  patiently,
  placesOf,
  ring,
  WIDE,
} from './bucket.ts'

let runs = 0
let rid = ''
beforeEach(() => {
  rid = `pressure-${++runs}`
})
afterAll(quiet)

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Sends a batch until it is taken. */
const insist = (run: StoreRun, start: number, count: number, chain: number) =>
  patiently(() => appendWide(run, start, count, chain))

/** Seconds until the object's alarm; undefined without one. */
function alarmOf(id: string): Promise<number | undefined> {
  return runInDurableObject(objectOf(id), async (_, { storage }) => {
    const at = await storage.getAlarm()
    return at === null ? undefined : (at - Date.now()) / 1000
  })
}

/** The object of a run has no bucket until its next life. */
function unbind(): Promise<void> {
  return runInDurableObject(objectOf(rid), (object) => {
    object.bucket = undefined
  })
}

/** Fills an object without a bucket with tails; gives the lengths of its chains. */
async function fill(run: StoreRun): Promise<Map<number, number>> {
  await run.initChain(0)
  await unbind()
  const lengths = new Map<number, number>()
  for (let chain = 0; ; chain++) {
    for (let start = 0; start < 15; start += 3) {
      try {
        lengths.set(chain, await appendWide(run, start, 3, chain))
      } catch (error) {
        if (!isMcbError(error, 'storage_unavailable')) throw error
        return lengths
      }
    }
  }
}

test('an object that was full of tails before a bucket was bound folds and moves them', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  const lengths = await fill(run)
  expect(await countIn(rid, 'chunks')).toBe(0)
  await evictDurableObject(objectOf(rid))
  for (const [chain, length] of lengths) await insist(run, length, 3, chain)
  expect((await placesOf(rid)).far).toBeGreaterThan(0)
  for (const [chain, length] of lengths) await expectWide(rid, length + 3, chain)
})

test('a tail that cannot be folded holds up no other', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  const lengths = await fill(run)
  await change(rid, 'UPDATE chains SET sum = sum + 1, tail_bytes = tail_bytes + 1 WHERE number = 0')
  await evictDurableObject(objectOf(rid))
  lengths.delete(0)
  for (const [chain, length] of lengths) await insist(run, length, 3, chain)
  for (const [chain, length] of lengths) await expectWide(rid, length + 3, chain)
})

test('callers of a full object do not make it ask a bucket that is away more often', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, 1)
  let puts = 0
  const put = () => {
    puts++
    return Promise.reject(new Error('the bucket is away'))
  }
  await breakBucket(rid, { put })
  let length = 1
  let refused = 0
  while (refused < 40) {
    try {
      length = await appendWide(run, length, A_MIB / 2)
    } catch (error) {
      if (!isMcbError(error, 'storage_unavailable')) throw error
      refused++
    }
    await pause(5)
  }
  expect(puts).toBeGreaterThan(0)
  expect(puts).toBeLessThan(4)
  await evictDurableObject(objectOf(rid))
  await ring(rid)
  for (let end = length + A_MIB; length < end; length++) await insist(run, length, 1, 0)
  await expectWide(rid, length)
})

test('an object that cannot sweep the bucket in the end tries it ever more seldom', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(async () => (await keysOf(rid)).length).toBe(1)
  await open().deleteRun(rid)
  await expect.poll(() => keysOf(rid)).toEqual([])
  await expect.poll(() => countIn(rid, 'runs')).toBe(0)
  await breakBucket(rid, {
    // biome-ignore lint/correctness/useYield: it fails before.
    list: async function* () {
      throw new Error('the bucket is away')
    },
  })
  const pauses: number[] = []
  for (let i = 0; i < 10; i++) {
    await ring(rid)
    pauses.push((await alarmOf(rid)) ?? Number.NaN)
  }
  expect(Math.max(...pauses.slice(-2))).toBeGreaterThan(60)
  await evictDurableObject(objectOf(rid))
  await ring(rid)
  await expect.poll(() => runInDurableObject(objectOf(rid), (_, state) => tablesIn(state))).toEqual([])
})

test('while the bucket of a deleted run is not bound, its object looks once a day', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(async () => (await keysOf(rid)).length).toBe(1)
  await unbind()
  await open().deleteRun(rid)
  for (let i = 0; i < 4; i++) await ring(rid)
  expect(await alarmOf(rid)).toBeGreaterThan(12 * 3600)
  await evictDurableObject(objectOf(rid))
  await ring(rid)
  await expect.poll(() => keysOf(rid)).toEqual([])
})

test('a read that the bucket answers when nothing is left of the run finds no run', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(async () => (await keysOf(rid)).length).toBe(1)
  const asked = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  await breakBucket(rid, {
    get: async () => {
      asked.resolve()
      await gone.promise
      return undefined
    },
  })
  const chain = await (await open().getRun(rid))?.getChain(0)
  const failure = expect(chain?.getDraws('x')).rejects.toMatchObject({ code: 'run_not_found' })
  await asked.promise
  await open().deleteRun(rid)
  await expect
    .poll(async () => {
      await ring(rid)
      return runInDurableObject(objectOf(rid), (_, state) => tablesIn(state))
    })
    .toEqual([])
  gone.resolve()
  await failure
})
