/** Run objects with a bucket as the tests of this folder use them: what lies where, and faults of the bucket. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { isMcbError } from '../../../src/core/errors.ts'
import type { Objects } from '../../../src/objects/objects.ts'
import { R2Objects } from '../../../src/objects/r2-objects.ts'
import { StoreBackend, type StoreRun } from '../../../src/runs/backend.ts'
import { objectOf, openObjects } from '../objects.ts'

export const MIB = 1024 * 1024
/** A draw of 64 KiB. */
export const WIDE = [{ name: 'x', dtype: 'float64', shape: [8192] }]
/** Draws of `WIDE` in 1 MiB. */
export const A_MIB = 16

/** A backend with caches of its own, as another isolate has them. */
export const open = () => new StoreBackend(openObjects())

/** Value of an element of a draw. */
export const valueAt = (draw: number, element: number) => draw * 8192 + element + 0.25

export function wideBatch(start: number, count: number) {
  const data = Float64Array.from({ length: count * 8192 }, (_, i) => valueAt(start, i))
  return { start, count, draws: new Map([['x', { dtype: 'float64', shape: [count, 8192], data } as const]]) }
}

export async function appendWide(run: StoreRun, start: number, count: number, chain = 0): Promise<number> {
  return (await run.initChain(chain)).appendBatch(wideBatch(start, count))
}

/** All draws of a chain are there, bit for bit. */
export async function expectWide(rid: string, count: number, chain = 0): Promise<void> {
  const stored = await (await open().getRun(rid))?.getChain(chain)
  expect(await stored?.length()).toBe(count)
  const draws = await stored?.getDraws('x')
  const data = draws !== undefined && 'data' in draws ? draws.data : undefined
  if (!(data instanceof Float64Array)) throw new Error('no draws came')
  expect(data.length).toBe(count * 8192)
  expect(data.findIndex((value, i) => value !== valueAt(0, i))).toBe(-1)
}

interface Chunk extends Record<string, string | number | null> {
  readonly id: number
  readonly chain_id: number
  readonly col: number
  readonly start: number
  readonly part: number
  readonly count: number
  readonly bytes: number | null
  readonly object: number | null
  readonly at: number | null
  readonly size: number | null
}

/** Rows of all chunks of a run object. */
export function chunksOf(rid: string): Promise<Chunk[]> {
  const sql =
    'SELECT id, chain_id, col, start, part, count, length(data) AS bytes, object, at, size FROM chunks ORDER BY id'
  return runInDurableObject(objectOf(rid), (_, { storage }) => storage.sql.exec<Chunk>(sql).toArray())
}

/** Bytes in rows, and bytes that rows name in the bucket. */
export async function placesOf(rid: string): Promise<{ readonly near: number; readonly far: number }> {
  const chunks = await chunksOf(rid)
  return {
    near: chunks.reduce((n, { bytes }) => n + (bytes ?? 0), 0),
    far: chunks.reduce((n, { size }) => n + (size ?? 0), 0),
  }
}

export async function keysOf(rid: string): Promise<string[]> {
  const { objects } = await env.DRAWS.list({ prefix: `local/${rid}/` })
  return objects.map(({ key }) => key).sort()
}

/** Does something to the tables of a run object. */
export function change(rid: string, sql: string, ...params: readonly (string | number | ArrayBuffer)[]): Promise<void> {
  return runInDurableObject(objectOf(rid), (_, { storage }) => {
    storage.sql.exec(sql, ...params)
  })
}

export function countIn(rid: string, table: string): Promise<number> {
  const sql = `SELECT count(*) AS n FROM ${table}`
  return runInDurableObject(objectOf(rid), (_, { storage }) => storage.sql.exec<{ n: number }>(sql).one().n)
}

/** Puts another bucket in the place of an object's own, until its next life. */
export function breakBucket(rid: string, broken: Partial<Objects>): Promise<void> {
  return runInDurableObject(objectOf(rid), (object) => {
    const { bucket } = object
    if (bucket === undefined) throw new Error('no bucket is bound')
    object.bucket = {
      put: broken.put ?? bucket.put.bind(bucket),
      get: broken.get ?? bucket.get.bind(bucket),
      delete: broken.delete ?? bucket.delete.bind(bucket),
      list: broken.list ?? bucket.list.bind(bucket),
    }
  })
}

/** Gives an object the bucket back. */
export function mendBucket(rid: string): Promise<void> {
  return runInDurableObject(objectOf(rid), (object) => {
    object.bucket = new R2Objects(env.DRAWS)
  })
}

/** Lets the object's alarm go off. */
export async function ring(rid: string): Promise<void> {
  await runDurableObjectAlarm(objectOf(rid))
}

/** Makes the run rest: its last append is long ago. */
export async function rest(rid: string): Promise<void> {
  await change(rid, 'UPDATE chains SET updated_at = 1')
  await ring(rid)
}

/** As a client does: what may pass is sent again. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isMcbError(error, 'storage_unavailable') || attempt === 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Holds the next put of an object back until it is told to go. */
export async function holdPut(rid: string): Promise<{ readonly begun: Promise<void>; readonly go: () => void }> {
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const objects = new R2Objects(env.DRAWS)
  await breakBucket(rid, {
    put: async (...args) => {
      begun.resolve()
      await release.promise
      await objects.put(...args)
    },
  })
  return { begun: begun.promise, go: release.resolve }
}
