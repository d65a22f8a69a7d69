/** Requests of one upload that come to several isolates at once, whose store is the same: nothing is refused, lost or mixed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { isMcbError } from '../../src/core/errors.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { Uploads } from '../../src/runs/upload/uploads.ts'

type Bytes = Uint8Array<ArrayBuffer>
const encoder = new TextEncoder()

class SharedStore extends MemoryStore {
  override readonly writersElsewhere = true
}

/** Waits before a call of a method of the store, by the name of the method; undefined where it goes on at once. */
type Gates = Readonly<Record<string, (args: readonly unknown[]) => Promise<void> | undefined>>

function isolate(store: MemoryStore, gates: Gates = {}): Uploads {
  const gated = new Proxy(store, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]) => {
        await gates[String(key)]?.(args)
        const result: unknown = await Reflect.apply(member, target, args)
        return result
      }
    },
  })
  return new Uploads(new StoreBackend(gated))
}

/** A gate at which the calls that `isMeant` tells wait; `arrived` resolves with the first of them. */
function gate(isMeant: (args: readonly unknown[]) => boolean) {
  const arrived = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  const pass = (args: readonly unknown[]) => {
    if (!isMeant(args)) return undefined
    arrived.resolve()
    return opened.promise
  }
  return { pass, arrived: arrived.promise, open: () => opened.resolve() }
}

function json(value: object): Bytes {
  return new Uint8Array(encoder.encode(JSON.stringify(value)))
}

function group(attributes: object = {}): Bytes {
  return json({ zarr_format: 3, node_type: 'group', attributes })
}

const ROWS = 16

function array(type: 'float64' | 'int64', blocks: number): Bytes {
  return json({
    zarr_format: 3,
    node_type: 'array',
    shape: [1, blocks * ROWS],
    data_type: type,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, ROWS] } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: type === 'float64' ? 'NaN' : 0,
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    dimension_names: ['chain', 'draw'],
  })
}

async function declare(uploads: Uploads, rid: string, blocks = 2): Promise<void> {
  const documents: [string, Bytes][] = [
    ['zarr.json', group({ sampler: 'nuts-rs', sampler_version: '0.18.3', sampler_settings: { num_draws: 0 } })],
    ['posterior/zarr.json', group()],
    ['posterior/a/zarr.json', array('int64', blocks)],
    ['posterior/b/zarr.json', array('float64', blocks)],
  ]
  for (const [path, bytes] of documents) await uploads.with(rid, (upload) => upload.putDocument(path, bytes))
}

/** Puts a chunk of a block; its numbers count from `first`. */
function put(uploads: Uploads, rid: string, name: 'a' | 'b', block: number, first = block * ROWS): Promise<void> {
  const numbers = Array.from({ length: ROWS }, (_, i) => first + i)
  const typed = name === 'a' ? BigInt64Array.from(numbers, BigInt) : Float64Array.from(numbers)
  return uploads.with(rid, (upload) => upload.putChunk(`posterior/${name}/c/0/${block}`, new Uint8Array(typed.buffer)))
}

async function drawsOf(store: MemoryStore, rid: string, name: 'a' | 'b'): Promise<number[]> {
  const chain = await (await new StoreBackend(store).getRun(rid))?.getChain(0)
  const draws = await chain?.getDraws(name)
  return draws !== undefined && 'data' in draws ? Array.from(draws.data, Number) : []
}

function counted(rows: number): number[] {
  return Array.from({ length: rows }, (_, i) => i)
}

async function chunksLeft(store: MemoryStore, rid: string): Promise<string[]> {
  return (await store.listStaged(rid, '')).map(({ path }) => path).filter((path) => path.includes('/c/'))
}

test('a chunk that becomes draws while another isolate is about to read it is no fill', async () => {
  const store = new SharedStore()
  const plain = isolate(store)
  await declare(plain, 'r')
  await put(plain, 'r', 'a', 0)
  const read = gate(([, paths]) => Array.isArray(paths) && paths.some((path) => String(path).endsWith('a/c/0/0')))
  const first = put(isolate(store, { staged: read.pass }), 'r', 'b', 0)
  await read.arrived
  await put(plain, 'r', 'b', 0)
  read.open()
  await first
  for (const name of ['a', 'b'] as const) expect(await drawsOf(store, 'r', name)).toEqual(counted(ROWS))
  expect(await chunksLeft(store, 'r')).toEqual([])
})

test('the last chunks of a block that come to two isolates at once become draws', async () => {
  const store = new SharedStore()
  const plain = isolate(store)
  await declare(plain, 'r')
  await put(plain, 'r', 'a', 1)
  await put(plain, 'r', 'b', 1)
  const stage = gate(([, path]) => String(path).endsWith('/c/0/0'))
  const both = (['a', 'b'] as const).map((name) => put(isolate(store, { stage: stage.pass }), 'r', name, 0))
  await stage.arrived
  // Both have seen the store without the other's chunk once the second waits as well.
  await new Promise((resolve) => setTimeout(resolve, 20))
  stage.open()
  await Promise.all(both)
  for (const name of ['a', 'b'] as const) expect(await drawsOf(store, 'r', name)).toEqual(counted(2 * ROWS))
  expect(await chunksLeft(store, 'r')).toEqual([])
})

test('a block that waits for one that another isolate appends meanwhile becomes draws', async () => {
  const store = new SharedStore()
  const plain = isolate(store)
  await declare(plain, 'r')
  for (const [name, block] of [
    ['a', 0],
    ['a', 1],
  ] as const)
    await put(plain, 'r', name, block)
  const append = gate(() => true)
  const first = put(isolate(store, { append: append.pass }), 'r', 'b', 0)
  await append.arrived
  await put(plain, 'r', 'b', 1)
  append.open()
  await first
  for (const name of ['a', 'b'] as const) expect(await drawsOf(store, 'r', name)).toEqual(counted(2 * ROWS))
  expect(await chunksLeft(store, 'r')).toEqual([])
})

test('chunks that come to any isolates, in any order and at once, become the draws of the model', async () => {
  const blocks = 4
  const sends = fc.shuffledSubarray(
    (['a', 'b'] as const).flatMap((name) => Array.from({ length: blocks }, (_, block) => ({ name, block }))),
    { minLength: 2 * blocks },
  )
  const pauses = fc.array(fc.nat(8), { minLength: 5, maxLength: 40 })
  const again = fc.array(fc.nat(2 * blocks - 1), { maxLength: 3 })
  const atOnce = fc.integer({ min: 2, max: 6 })
  await fc.assert(
    fc.asyncProperty(sends, pauses, again, atOnce, async (order, pauses, again, atOnce) => {
      const store = new SharedStore()
      await declare(isolate(store), 'r', blocks)
      let calls = 0
      const pause = async () => {
        for (let turns = pauses[calls++ % pauses.length] ?? 0; turns > 0; turns--) await new Promise(setImmediate)
      }
      const methods = [
        'listStaged',
        'staged',
        'stage',
        'unstage',
        'append',
        'chains',
        'find',
        'register',
        'createChain',
      ]
      const isolates = [0, 1, 2].map(() => isolate(store, Object.fromEntries(methods.map((name) => [name, pause]))))
      const all = [...order, ...again.flatMap((i) => order[i] ?? [])]
      for (let at = 0; at < all.length; at += atOnce) {
        const some = all.slice(at, at + atOnce)
        await Promise.all(some.map(({ name, block }, i) => put(isolates[i % 3] ?? isolate(store), 'r', name, block)))
      }
      for (const name of ['a', 'b'] as const) expect(await drawsOf(store, 'r', name)).toEqual(counted(blocks * ROWS))
      await isolate(store).with('r', async () => undefined)
      expect(await chunksLeft(store, 'r')).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test('of first documents that come at once, each stays', async () => {
  const store = new SharedStore()
  const plain = isolate(store)
  const paths = ['zarr.json', 'posterior/zarr.json', 'sample_stats/zarr.json']
  const wipe = gate(() => true)
  const stage = gate(() => true)
  const late = isolate(store, { unstageAll: wipe.pass, unstage: wipe.pass, stage: stage.pass })
  const first = late.with('r', (upload) => upload.putDocument('posterior/zarr.json', group()))
  await Promise.race([wipe.arrived, stage.arrived])
  for (const path of ['zarr.json', 'sample_stats/zarr.json'])
    await plain.with('r', (upload) => upload.putDocument(path, group()))
  wipe.open()
  stage.open()
  await first
  await plain.with('r', async (upload) => expect(upload.paths().sort()).toEqual([...paths].sort()))
})

test('a run that is deleted is written anew on the same server', async () => {
  const store = new MemoryStore()
  const uploads = isolate(store)
  for (const first of [700, 0]) {
    await declare(uploads, 'r', 1)
    for (const name of ['a', 'b'] as const) await put(uploads, 'r', name, 0, first)
    if (first > 0) await uploads.deleteRun('r')
  }
  for (const name of ['a', 'b'] as const) expect(await drawsOf(store, 'r', name)).toEqual(counted(ROWS))
})

for (const shared of [true, false]) {
  test(`a chunk of a writer whose run is deleted does not come into the next one (${shared ? 'two isolates' : 'one server'})`, async () => {
    const store = shared ? new SharedStore() : new MemoryStore()
    const stage = gate(([, path]) => String(path).endsWith('b/c/0/1'))
    const late = isolate(store, { stage: stage.pass })
    const plain = shared ? isolate(store) : late
    await declare(plain, 'r')
    await put(plain, 'r', 'a', 0, 500)
    const outcome = put(late, 'r', 'b', 1, 700).then(
      () => 'taken',
      (error: unknown) => isMcbError(error, 'run_conflict') && 'refused',
    )
    await stage.arrived
    await plain.deleteRun('r')
    await declare(plain, 'r')
    stage.open()
    expect(await outcome).toBe('refused')
    for (const [name, block] of [
      ['a', 0],
      ['b', 0],
      ['a', 1],
    ] as const)
      await put(plain, 'r', name, block)
    expect(await drawsOf(store, 'r', 'b')).toEqual(counted(ROWS))
    await put(plain, 'r', 'b', 1)
    expect(await drawsOf(store, 'r', 'b')).toEqual(counted(2 * ROWS))
    // The next server forgets what this one has not come to.
    await isolate(store).with('r', async () => undefined)
    expect(await chunksLeft(store, 'r')).toEqual([])
  })
}
