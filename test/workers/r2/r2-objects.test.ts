/** Objects in a bucket: what comes is what was put, and a bucket that fails or is silent is said to. */
import { env } from 'cloudflare:workers'
import type { R2Bucket } from '@cloudflare/workers-types'
import { expect, test } from 'vitest'
import { R2Objects, type R2ObjectsOptions } from '../../../src/objects/r2-objects.ts'

const SIZE = 300_000
const BYTES = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7919) >>> 3)
const objects = new R2Objects(env.DRAWS)

async function read(key: string, at: number, length: number): Promise<Uint8Array | undefined> {
  const into = new Uint8Array(length)
  const got = await objects.get(key, at, into)
  return got === undefined ? undefined : into.subarray(0, got)
}

test('an object is put whole, of one piece or several, and read by range', async () => {
  await objects.put('a/1', 0, [BYTES])
  await objects.put('a/2', 0, [BYTES.subarray(0, 1000), BYTES.subarray(1000, 1001), BYTES.subarray(1001)])
  for (const key of ['a/1', 'a/2']) {
    expect(await read(key, 0, SIZE)).toEqual(BYTES)
    expect(await read(key, 12_345, 678)).toEqual(BYTES.subarray(12_345, 12_345 + 678))
    expect(await read(key, SIZE - 10, 50)).toEqual(BYTES.subarray(SIZE - 10))
    expect(await read(key, SIZE, 50)).toEqual(new Uint8Array())
    expect(await read(key, SIZE + 99, 50)).toEqual(new Uint8Array())
  }
  expect(await read('a/3', 0, 10)).toBeUndefined()
  await expect(objects.put('a/1', 10, [BYTES])).rejects.toThrow('is put whole, not from byte 10 on')
})

test('bytes are told of as they come', async () => {
  await objects.put('b/1', 0, [BYTES])
  const came: number[] = []
  await objects.get('b/1', 100, new Uint8Array(SIZE), (bytes) => came.push(bytes.length))
  expect(came.at(-1)).toBe(SIZE - 100)
})

test('objects are listed by the beginning of their keys and deleted, also more than one call takes', async () => {
  const keys = Array.from({ length: 1203 }, (_, i) => `c/${String(i).padStart(4, '0')}`)
  for (let at = 0; at < keys.length; at += 100)
    await Promise.all(keys.slice(at, at + 100).map((key) => env.DRAWS.put(key, 'abc')))
  await env.DRAWS.put('d/1', 'other')
  const list = async (prefix?: string) => {
    const found: { readonly key: string; readonly size: number }[] = []
    for await (const one of objects.list(prefix)) found.push(one)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }
  expect(await list('c/')).toEqual(keys.map((key) => ({ key, size: 3 })))
  await objects.delete([...keys, 'c/missing'])
  expect(await list('c/')).toEqual([])
  expect((await list()).map(({ key }) => key)).toContain('d/1')
  await objects.delete([])
})

/** A bucket of which some methods are others. */
function broken(methods: Partial<R2Bucket>, options?: R2ObjectsOptions): R2Objects {
  const bucket = new Proxy(env.DRAWS, {
    get: (target, name) => {
      const own = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
  return new R2Objects(bucket, options)
}

const never = () => new Promise<never>(() => {})
const fails = () => Promise.reject(new Error('internal error (10001)'))
const into = new Uint8Array(10)

test.each([
  ['fails', broken({ put: fails, get: fails, delete: fails, list: fails, head: fails })],
  ['is silent', broken({ put: never, get: never, delete: never, list: never }, { putMs: 20, callMs: 20 })],
])('a bucket that %s is unavailable', async (_, bucket) => {
  const unavailable = { code: 'storage_unavailable', fields: { retryAfter: 5 } }
  await expect(bucket.put('e/1', 0, [BYTES])).rejects.toMatchObject(unavailable)
  await expect(bucket.get('e/1', 0, into)).rejects.toMatchObject(unavailable)
  await expect(bucket.delete(['e/1'])).rejects.toMatchObject(unavailable)
  await expect(bucket.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject(unavailable)
})

test('bytes that change on their way are refused by the bucket', async () => {
  const flipped = BYTES.slice()
  flipped[77] = (flipped[77] ?? 0) ^ 1
  const { put } = env.DRAWS
  const flipping = broken({
    put: (key: string, _bytes: unknown, options?: object) => put.call(env.DRAWS, key, flipped, options),
  })
  await expect(flipping.put('f/1', 0, [BYTES])).rejects.toMatchObject({ code: 'storage_unavailable' })
  expect(await read('f/1', 0, 10)).toBeUndefined()
})

test('a bucket that has taken fewer bytes than it was sent has not taken them', async () => {
  const { put } = env.DRAWS
  const cutting = broken({ put: (key: string) => put.call(env.DRAWS, key, BYTES.subarray(0, 5)) })
  await expect(cutting.put('g/1', 0, [BYTES])).rejects.toMatchObject({ code: 'storage_unavailable' })
})
