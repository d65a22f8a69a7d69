/** Staged objects: kept as they are by run and path, forgotten with the run, and counted. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STAGED_PATH_BYTES, stagedBytes } from '../../src/core/staging.ts'
import type { Staging } from '../../src/core/store.ts'
import type { Suite, Topic } from './suite.ts'

/** Milliseconds that usage may lag, and as many as a busy machine adds. */
const LAG_MS = 15_000
/** Milliseconds without a change behind which nothing is on its way any more: more than the 2 s of docs/protocol.md §3. */
const STEADY_MS = 3000
const X = [{ name: 'x', dtype: 'float64' }]
const MIB = 1024 * 1024

function bytesOf(length: number, seed = length): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let i = 0, state = seed + 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Without a difference of millions of bytes in the message. */
function expectBytes(found: Uint8Array | undefined, expected: Uint8Array): void {
  expect(found?.length).toBe(expected.length)
  expect(expected.findIndex((byte, i) => byte !== found?.[i])).toBe(-1)
}

/** In the order of code points, which is that of the bytes of UTF-8. */
function inOrder(paths: Iterable<string>): string[] {
  const key = (path: string) => Array.from(path, (c) => (c.codePointAt(0) ?? 0).toString(16).padStart(6, '0')).join()
  return [...paths].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

async function objectsOf(store: Staging, rid: string): Promise<Map<string, Uint8Array>> {
  const paths = (await store.listStaged(rid, '')).map(({ path }) => path)
  const found = await store.staged(rid, paths)
  return new Map(paths.map((path, i) => [path, found[i] ?? new Uint8Array([255])]))
}

export const staging: Topic = {
  name: 'staged objects',
  reads: false,
  define(suite) {
    defineObjects(suite)
    defineModel(suite)
    defineEnds(suite)
  },
}

function defineObjects(suite: Suite): void {
  test('objects of any size are what was sent, and the sender keeps its bytes', async () => {
    const rid = suite.newRid()
    const sizes = [0, 1, 1000, 130_000, MIB - 1, MIB, MIB + 1, 3 * MIB + 5]
    for (const size of sizes) {
      const data = bytesOf(size)
      await suite.store.stage(rid, `size/${size}`, data)
      expect(data).toEqual(bytesOf(size))
      data.fill(0)
    }
    const paths = sizes.map((size) => `size/${size}`)
    const found = await suite.store.staged(rid, [...paths, 'size/2', ...paths.slice(0, 2)])
    for (const [i, size] of sizes.entries()) expectBytes(found[i], bytesOf(size))
    expect(found.slice(sizes.length)).toEqual([undefined, bytesOf(0), bytesOf(1)])
    expect(await suite.store.listStaged(rid, 'size/1')).toEqual(
      inOrder(paths.filter((path) => path.startsWith('size/1'))).map((path) => ({ path, size: Number(path.slice(5)) })),
    )
    // A view in the middle of other memory.
    const memory = bytesOf(50_000)
    await suite.store.stage(rid, 'view', memory.subarray(10_000, 30_000))
    expect(memory).toEqual(bytesOf(50_000))
    expect(await suite.store.staged(rid, ['view'])).toEqual([memory.slice(10_000, 30_000)])
    expect(await suite.store.remove(rid)).toBe(true)
  })

  test('a second object of a path takes the place of the first, be it larger or smaller', async () => {
    const rid = suite.newRid()
    for (const size of [10, 2 * MIB + 7, 0, MIB + 1, 5]) {
      await suite.store.stage(rid, 'zarr.json', bytesOf(size))
      expect(await suite.store.listStaged(rid, '')).toEqual([{ path: 'zarr.json', size }])
      const [found] = await suite.store.staged(rid, ['zarr.json'])
      expectBytes(found, bytesOf(size))
    }
    expect(await suite.store.remove(rid)).toBe(true)
  })

  test('paths may be any text; prefixes are of characters, not of folders or patterns', async () => {
    const rid = suite.newRid()
    const long = 'p'.repeat(STAGED_PATH_BYTES)
    const paths = [
      ...['a', 'a/', 'a/b', 'a/b/c', 'ab', 'A', 'a%', 'a_', '%', "'", '"', '\\', ' ', 'ä', 'z\uffff'],
      long,
    ]
    paths.push(
      'z\u{10ffff}',
      'z\u{10ffff}\u{10ffff}',
      '\u{d7ff}x',
      '\u{e000}',
      '\u{1f600}',
      '\uffee',
      '[0]',
      '*',
      '?',
      '..',
    )
    for (const [i, path] of paths.entries()) await suite.store.stage(rid, path, bytesOf(i + 1))
    for (const prefix of ['', 'a', 'a/', 'a/b', '%', '_', 'z', 'z\u{10ffff}', '\u{d7ff}', 'A', '*', 'q', long]) {
      const listed = await suite.store.listStaged(rid, prefix)
      expect(listed.map(({ path }) => path)).toEqual(inOrder(paths.filter((path) => path.startsWith(prefix))))
    }
    expect(await suite.store.staged(rid, paths)).toEqual(paths.map((_, i) => bytesOf(i + 1)))
    const tooLong = suite.store.stage(rid, `${long}x`, bytesOf(1))
    await expect(tooLong).rejects.toMatchObject({ code: 'payload_too_large', fields: { limit: STAGED_PATH_BYTES } })
    for (const none of ['', 'a\0b', 'lone \ud800']) {
      await expect(suite.store.stage(rid, none, bytesOf(1))).rejects.toMatchObject({ code: 'invalid_parameter' })
    }
    await suite.store.unstage(rid, paths.slice(1))
    expect(await suite.store.listStaged(rid, '')).toEqual([{ path: 'a', size: 1 }])
    expect(await suite.store.remove(rid)).toBe(true)
  })

  test('many at once, as a sampler sends them, and a hundred forgotten at once', async () => {
    const rid = suite.newRid()
    const paths = Array.from({ length: suite.rounds(300, 40) }, (_, i) => `posterior/x${i % 7}/c/${i % 4}/${i}`)
    const waiting = [...paths]
    const lane = async () => {
      for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
        await suite.store.stage(rid, path, bytesOf(1000 + path.length))
      }
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    expect((await suite.store.listStaged(rid, '')).map(({ path }) => path)).toEqual(inOrder(paths))
    await suite.store.unstage(rid, [...paths.slice(0, 100), 'never/there'])
    expect((await suite.store.listStaged(rid, '')).map(({ path }) => path)).toEqual(inOrder(paths.slice(100)))
    await suite.store.unstageAll(rid)
    expect(await suite.store.listStaged(rid, '')).toEqual([])
  })
}

const RIDS = 3
const PATHS = ['zarr.json', 'p/zarr.json', 'p/x/c/0/0', 'p/x/c/0/1', 'p/x/c/1/0', 'p/y', 'q']

const COMMAND = fc.record({
  kind: fc.constantFrom(
    ...new Array<'stage'>(6).fill('stage'),
    ...(['unstage', 'unstage', 'unstageAll', 'remove', 'register'] as const),
  ),
  run: fc.nat(RIDS - 1),
  path: fc.constantFrom(...PATHS),
  size: fc.oneof(fc.nat(3), fc.nat(5000)),
  paths: fc.subarray(PATHS),
})
type Command = typeof COMMAND extends fc.Arbitrary<infer T> ? T : never

/** The same in maps. */
class Model {
  private readonly suite: Suite
  private readonly rids: readonly string[]
  private readonly objects = new Map<string, Map<string, Uint8Array>>()
  private readonly registered = new Set<string>()

  constructor(suite: Suite) {
    this.suite = suite
    this.rids = Array.from({ length: RIDS }, () => suite.newRid())
  }

  async carryOut({ kind, run, path, size, paths }: Command): Promise<void> {
    const rid = this.rids[run] ?? ''
    const own = this.ofRun(rid)
    if (kind === 'stage') {
      own.set(path, bytesOf(size))
      await this.suite.store.stage(rid, path, bytesOf(size))
    } else if (kind === 'unstage') {
      for (const each of paths) own.delete(each)
      await this.suite.store.unstage(rid, paths)
    } else if (kind === 'unstageAll') {
      own.clear()
      await this.suite.store.unstageAll(rid)
    } else if (kind === 'register') {
      await this.suite.backend.initRun({ rid, variables: X })
      this.registered.add(rid)
    } else await this.remove(rid)
    expect(await objectsOf(this.suite.store, rid)).toEqual(this.ofRun(rid))
  }

  async end(): Promise<void> {
    for (const rid of this.rids) {
      const own = this.ofRun(rid)
      expect(await objectsOf(this.suite.store, rid)).toEqual(own)
      const expected = inOrder([...own.keys()].filter((path) => path.startsWith('p/x/')))
      const listed = await this.suite.store.listStaged(rid, 'p/x/')
      expect(listed).toEqual(expected.map((path) => ({ path, size: own.get(path)?.length })))
      await this.remove(rid)
    }
  }

  private async remove(rid: string): Promise<void> {
    const isThere = this.registered.delete(rid) || this.ofRun(rid).size > 0
    this.objects.delete(rid)
    expect(await this.suite.store.remove(rid)).toBe(isThere)
  }

  private ofRun(rid: string): Map<string, Uint8Array> {
    const own = this.objects.get(rid) ?? new Map<string, Uint8Array>()
    this.objects.set(rid, own)
    return own
  }
}

function defineModel(suite: Suite): void {
  test('any sequence of calls leaves what a map of maps holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(COMMAND, { minLength: 1, maxLength: 25 }), async (commands) => {
        const model = new Model(suite)
        for (const command of commands) await model.carryOut(command)
        await model.end()
      }),
      { numRuns: suite.rounds(30, 4) },
    )
  }, 120_000)
}

function defineEnds(suite: Suite): void {
  test('they count as stored bytes, and no longer when they are forgotten', async () => {
    const rid = suite.newRid()
    const usageIs = (bytes: number) =>
      expect.poll(async () => (await suite.store.usage()).bytes, { timeout: LAG_MS, interval: 50 }).toBe(bytes)
    let before = -1
    // Usage may lag behind what tests before have left.
    for (let now = -2; now !== before; await new Promise((resolve) => setTimeout(resolve, STEADY_MS))) {
      before = now
      now = (await suite.store.usage()).bytes
    }
    await suite.store.stage(rid, 'a', bytesOf(1000))
    await suite.store.stage(rid, 'ä/b', bytesOf(2 * MIB))
    await usageIs(before + stagedBytes('a', 1000) + stagedBytes('ä/b', 2 * MIB))
    await suite.store.stage(rid, 'a', bytesOf(10))
    await usageIs(before + stagedBytes('a', 10) + stagedBytes('ä/b', 2 * MIB))
    await suite.store.unstage(rid, ['ä/b', 'c'])
    await usageIs(before + stagedBytes('a', 10))
    expect(await suite.store.remove(rid)).toBe(true)
    await usageIs(before)
  }, 120_000)

  test('they go with their run, are none of the next, and of no other run', async () => {
    const before = await suite.countRows()
    const [run, other] = [await suite.newRun(X), await suite.newRun(X)]
    await suite.store.stage(run.rid, 'a', bytesOf(3))
    await suite.store.stage(other.rid, 'a', bytesOf(4))
    expect(await suite.store.staged(run.rid, ['a'])).toEqual([bytesOf(3)])
    await suite.backend.deleteRun(run.rid)
    expect(await suite.store.listStaged(run.rid, '')).toEqual([])
    await suite.backend.initRun({ rid: run.rid, variables: X })
    expect(await suite.store.listStaged(run.rid, '')).toEqual([])
    expect(await suite.store.staged(run.rid, ['a'])).toEqual([undefined])
    expect(await suite.store.staged(other.rid, ['a'])).toEqual([bytesOf(4)])
    await suite.backend.deleteRun(run.rid)
    await suite.backend.deleteRun(other.rid)
    expect(await suite.countRows()).toBe(before)
  })

  test('without a run they are there nonetheless, and deletion finds them once', async () => {
    const before = await suite.countRows()
    const rid = suite.newRid()
    await suite.store.stage(rid, 'zarr.json', bytesOf(20))
    await suite.store.stage(rid, 'large', bytesOf(2 * MIB))
    expect(await suite.store.find(rid)).toBeUndefined()
    expect((await suite.backend.listRuns({ limit: 1000 })).runs.map((line) => line.rid)).not.toContain(rid)
    const done = await Promise.all([suite.store.remove(rid), suite.store.remove(rid)])
    expect(done).toContain(true)
    expect(await suite.store.listStaged(rid, '')).toEqual([])
    expect(await suite.store.remove(rid)).toBe(false)
    // Registration afterwards, and staging before it, are the usual way.
    await suite.store.stage(rid, 'zarr.json', bytesOf(21))
    await suite.backend.initRun({ rid, variables: X })
    expect(await suite.store.staged(rid, ['zarr.json'])).toEqual([bytesOf(21)])
    await suite.store.unstageAll(rid)
    expect(await suite.store.listStaged(rid, '')).toEqual([])
    expect(await suite.backend.deleteRun(rid)).toBe(true)
    expect(await suite.countRows()).toBe(before)
  })

  test('objects that are all forgotten leave no row', async () => {
    const before = await suite.countRows()
    const rowsAreAsBefore = () => expect.poll(() => suite.countRows(), { timeout: LAG_MS, interval: 50 }).toBe(before)
    const rid = suite.newRid()
    for (const path of ['a', 'b', 'c']) await suite.store.stage(rid, path, bytesOf(MIB + 2))
    await suite.store.unstage(rid, ['a', 'b', 'c'])
    await suite.store.stage(rid, 'a', bytesOf(1))
    await suite.store.unstageAll(rid)
    await suite.store.unstageAll(rid)
    await rowsAreAsBefore()
    expect(await suite.store.remove(rid)).toBe(false)
  }, 60_000)
}
