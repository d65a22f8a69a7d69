/** A bucket that is slow, fails, loses an answer or does things late, and objects that end in between. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Objects } from '../../../src/objects/objects.ts'
import { R2Objects } from '../../../src/objects/r2-objects.ts'
import { objectOf, quiet, rowsIn, tablesIn } from '../objects.ts'
import {
  A_MIB,
  appendWide,
  breakBucket,
  change,
  countIn,
  expectWide,
  holdPut,
  keysOf,
  MIB,
  mendBucket,
  open,
  placesOf,
  ring,
  WIDE,
} from './bucket.ts'

const objects = new R2Objects(env.DRAWS)

let runs = 0
let rid = ''
beforeEach(() => {
  rid = `bucket-faults-${++runs}`
})
afterAll(quiet)

const down = () => Promise.reject(new Error('the bucket cannot be reached'))

/** Ten minutes go by: a put that was given up is taken to be done or lost. */
async function later(): Promise<void> {
  await change(rid, 'UPDATE moves SET begun_at = 1')
  await ring(rid)
}

/** Keys that rows name, or would. */
async function expectMoved(mib: number): Promise<void> {
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: mib * MIB })
  await expect.poll(() => countIn(rid, 'moves')).toBe(0)
  expect(await keysOf(rid)).toHaveLength(mib)
  await expectWide(rid, mib * A_MIB)
}

const PUTS: readonly [string, Objects['put']][] = [
  ['fails before it has done anything', down],
  [
    'has done it, and its answer is lost',
    async (...args) => {
      await objects.put(...args)
      throw new Error('the answer was lost')
    },
  ],
  [
    'is given up, and done later',
    async (...args) => {
      setTimeout(() => void objects.put(...args), 500)
      throw new Error('no answer within the time')
    },
  ],
]

describe.each(PUTS)('a put that %s', (_, put) => {
  test('is made anew under another number, and what it has left goes', async () => {
    const run = await open().initRun({ rid, variables: WIDE })
    await appendWide(run, 0, A_MIB)
    await breakBucket(rid, { put })
    await ring(rid)
    await expect.poll(() => countIn(rid, 'moves')).toBe(1)
    await appendWide(run, A_MIB, A_MIB)
    expect(await placesOf(rid)).toEqual({ near: 2 * MIB, far: 0 })
    await expectWide(rid, 2 * A_MIB)
    await new Promise((resolve) => setTimeout(resolve, 700))
    await mendBucket(rid)
    await ring(rid)
    await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: 2 * MIB })
    // It may still be done later.
    expect(await countIn(rid, 'moves')).toBeGreaterThanOrEqual(1)
    await later()
    await expectMoved(2)
  })

  test('in an object that ends then is found by its next life', async () => {
    const run = await open().initRun({ rid, variables: WIDE })
    await appendWide(run, 0, A_MIB)
    await breakBucket(rid, { put })
    await ring(rid)
    await expect.poll(() => countIn(rid, 'moves')).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 700))
    await evictDurableObject(objectOf(rid))
    await open().getRun(rid)
    await ring(rid)
    await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
    await later()
    await expectMoved(1)
  })
})

test('an object that ends between a put and its commit moves the draws again', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await breakBucket(rid, {
    put: async (...args) => {
      await objects.put(...args)
      await new Promise(() => {})
    },
  })
  await ring(rid)
  await expect.poll(() => keysOf(rid)).toHaveLength(1)
  await runInDurableObject(objectOf(rid), (_, state) => state.abort('restarting')).catch(() => undefined)
  await appendWide(run, A_MIB, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: 2 * MIB })
  expect(await countIn(rid, 'moves')).toBe(1)
  expect(await keysOf(rid)).toHaveLength(3)
  await later()
  await expectMoved(2)
})

test('while a put takes its time, appends and reads go on', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  const held = await holdPut(rid)
  await ring(rid)
  await held.begun
  const begun = performance.now()
  await appendWide(run, A_MIB, A_MIB)
  await appendWide(run, 0, A_MIB + 8)
  await expectWide(rid, 2 * A_MIB)
  expect(performance.now() - begun).toBeLessThan(20_000)
  expect((await placesOf(rid)).far).toBe(0)
  held.go()
  await expectMoved(2)
})

test('an object that is full while the bucket fails refuses appends, keeps all, and goes on when it is back', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await breakBucket(rid, { put: down })
  for (let start = 0; start < 3 * A_MIB; start += A_MIB) await appendWide(run, start, A_MIB)
  const full = { code: 'storage_unavailable', fields: { retryAfter: 1 } }
  await expect(appendWide(run, 3 * A_MIB, A_MIB)).rejects.toMatchObject(full)
  await expectWide(rid, 3 * A_MIB)
  await mendBucket(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: 3 * MIB })
  await appendWide(run, 3 * A_MIB, A_MIB)
  await expectWide(rid, 4 * A_MIB)
})

test.each([
  ['cannot be listed', { list: () => ({ [Symbol.asyncIterator]: () => ({ next: down }) }) }],
  ['deletes nothing', { delete: down }],
  [
    'loses the answer of a deletion',
    {
      delete: async (keys: readonly string[]) => {
        await objects.delete(keys)
        throw new Error('the answer was lost')
      },
    },
  ],
])('a deletion while the bucket %s is answered, and completed later', async (_, broken) => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  await breakBucket(rid, broken)
  expect(await open().deleteRun(rid)).toBe(true)
  expect(await open().getRun(rid)).toBeUndefined()
  await ring(rid)
  // The row is what knows of the key.
  expect(await countIn(rid, 'runs')).toBe(1)
  await evictDurableObject(objectOf(rid))
  await ring(rid)
  await expect.poll(() => keysOf(rid)).toEqual([])
  await expect.poll(() => runInDurableObject(objectOf(rid), (__, state) => rowsIn(state))).toBe(0)
})

test('an object whose run is deleted lives as long as a put may be done late', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await breakBucket(rid, { put: down })
  await ring(rid)
  await expect.poll(() => countIn(rid, 'moves')).toBe(1)
  await mendBucket(rid)
  expect(await open().deleteRun(rid)).toBe(true)
  await expect.poll(() => runInDurableObject(objectOf(rid), (_, state) => rowsIn(state))).toBe(0)
  for (let i = 0; i < 3; i++) await ring(rid)
  const [uuid] = run.registration.split('.')
  await objects.put(`local/${rid}/${uuid}/1`, 0, [new Uint8Array(10)])
  expect(await runInDurableObject(objectOf(rid), (_, state) => tablesIn(state))).toContain('moves')
  await later()
  await expect.poll(() => keysOf(rid)).toEqual([])
  await expect.poll(() => runInDurableObject(objectOf(rid), (_, state) => tablesIn(state))).toEqual([])
})
