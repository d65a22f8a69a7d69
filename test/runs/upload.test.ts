/** Runs that are written as Zarr stores: whatever order, however often, and with restarts between, the run is that of the model. */
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { writeBlosc } from '../../src/core/upload/blosc.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { Uploads } from '../../src/runs/upload/uploads.ts'

type Bytes = Uint8Array<ArrayBuffer>
const encoder = new TextEncoder()

interface Declared {
  readonly path: string
  readonly shape: readonly number[]
  readonly chunk: readonly number[]
  readonly type: string
  readonly dims: readonly string[]
  readonly codecs?: 'blosc' | 'zstd' | 'none'
}

function json(value: object): Bytes {
  return new Uint8Array(encoder.encode(JSON.stringify(value)))
}

function group(attributes: object = {}): Bytes {
  return json({ zarr_format: 3, node_type: 'group', attributes })
}

function document({ shape, chunk, type, dims, codecs = 'blosc' }: Declared): Bytes {
  const wrapping = { blosc: [{ name: 'blosc', configuration: {} }], zstd: [{ name: 'zstd' }], none: [] }[codecs]
  const serialiser = type === 'string' ? { name: 'vlen-utf8' } : { name: 'bytes', configuration: { endian: 'little' } }
  return json({
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: type,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunk } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: type.startsWith('float') ? 'NaN' : type === 'bool' ? false : type === 'string' ? '' : 0,
    codecs: [serialiser, ...wrapping],
    dimension_names: dims,
  })
}

function wrapped(content: Bytes, codecs: Declared['codecs'] = 'blosc'): Bytes {
  if (codecs === 'blosc') return writeBlosc(content, 8)
  return codecs === 'zstd' ? new Uint8Array(zstdCompressSync(content)) : content
}

const SETTINGS = {
  sampler: 'nuts-rs',
  sampler_version: '0.18.3',
  sampler_settings: { num_draws: 0, store_gradient: false },
}

/** One request of a writer; without bytes a chunk is deleted. */
interface Sent {
  readonly path: string
  readonly bytes?: Bytes
}

const CHAINS = 2
const BLOCK = 4

/** Numbers of the columns, by part, chain and row. */
function mu(part: string, chain: number, row: number): number {
  return (part === 'warmup_' ? 1000 : 0) + chain * 100 + row + 0.5
}

function documentsOf(warmup: number, draws: number): Sent[] {
  const sent: Sent[] = [{ path: 'zarr.json', bytes: group(SETTINGS) }]
  for (const [prefix, rows] of [
    ['warmup_', warmup],
    ['', draws],
  ] as const) {
    if (rows === 0) continue
    const dims = ['chain', 'draw']
    const arrays: Declared[] = [
      { path: 'posterior/mu', shape: [CHAINS, rows], chunk: [1, BLOCK], type: 'float64', dims },
      {
        path: 'posterior/theta',
        shape: [CHAINS, rows, 3],
        chunk: [1, BLOCK, 3],
        type: 'float32',
        dims: [...dims, 'school'],
      },
      { path: 'sample_stats/diverging', shape: [CHAINS, rows], chunk: [1, BLOCK], type: 'bool', dims },
      { path: 'sample_stats/n_steps', shape: [CHAINS, rows], chunk: [1, BLOCK], type: 'int64', dims },
      { path: 'sample_stats/gradient', shape: [CHAINS, rows], chunk: [1, BLOCK], type: 'float64', dims },
      {
        path: 'sample_stats/divergence_draw',
        shape: [CHAINS, rows],
        chunk: [1, BLOCK],
        type: 'uint64',
        dims: ['chain', 'divergence'],
      },
    ]
    for (const name of ['posterior', 'sample_stats']) sent.push({ path: `${prefix}${name}/zarr.json`, bytes: group() })
    for (const array of arrays) sent.push({ path: `${prefix}${array.path}/zarr.json`, bytes: document(array) })
  }
  sent.push({ path: 'posterior/school/c/0', bytes: texts(['A', 'B', 'C']) })
  sent.push({
    path: 'posterior/school/zarr.json',
    bytes: document({ path: '', shape: [3], chunk: [3], type: 'string', dims: ['school'], codecs: 'none' }),
  })
  return sent
}

function texts(names: readonly string[]): Bytes {
  const parts = names.map((name) => encoder.encode(name))
  const out = new Uint8Array(4 + parts.reduce((size, part) => size + 4 + part.length, 0))
  const view = new DataView(out.buffer)
  view.setUint32(0, names.length, true)
  let at = 4
  for (const part of parts) {
    view.setUint32(at, part.length, true)
    out.set(part, at + 4)
    at += 4 + part.length
  }
  return out
}

/** Chunks of a block of rows of one chain; rows from `written` on are fill. */
function blockOf(prefix: string, rows: number, chain: number, k: number, written = rows): Sent[] {
  const real = Array.from({ length: BLOCK }, (_, i) => k * BLOCK + i).map((row) =>
    row < Math.min(rows, written) ? row : undefined,
  )
  const f64 = new Float64Array(real.map((row) => (row === undefined ? Number.NaN : mu(prefix, chain, row))))
  const f32 = new Float32Array(real.flatMap((row) => [0, 1, 2].map((i) => (row === undefined ? Number.NaN : row + i))))
  const steps = new BigInt64Array(real.map((row) => BigInt(row === undefined ? 0 : row + 1)))
  const at = (name: string, inner = '') => `${prefix}${name}/c/${chain}/${k}${inner}`
  return [
    { path: at('posterior/mu'), bytes: wrapped(new Uint8Array(f64.buffer)) },
    { path: at('posterior/theta', '/0'), bytes: wrapped(new Uint8Array(f32.buffer)) },
    { path: at('sample_stats/n_steps'), bytes: wrapped(new Uint8Array(steps.buffer)) },
    { path: at('sample_stats/diverging') },
  ]
}

async function send(uploads: Uploads, { path, bytes }: Sent): Promise<void> {
  await uploads.with('r', async (upload) => {
    if (path.endsWith('zarr.json')) await upload.putDocument(path, bytes ?? new Uint8Array())
    else await upload.putChunk(path, bytes ?? new Uint8Array())
  })
}

/** Draws of a chain: what is stored under `mu`, and how many of them are warmup. */
async function stored(backend: StoreBackend, chain: number) {
  const run = await backend.getRun('r')
  const handle = await run?.getChain(chain)
  const draws = await handle?.getDraws('mu')
  const hasFlag = run?.schema.stats.has('in_warmup') === true
  const flags = hasFlag ? await handle?.getStats('in_warmup') : undefined
  const values = draws !== undefined && 'data' in draws ? Array.from(draws.data, Number) : []
  const warmup =
    flags !== undefined && 'data' in flags ? Array.from(flags.data, Number).filter((flag) => flag === 1).length : 0
  return { values, warmup }
}

function expected(warmup: number, draws: number, chain: number): number[] {
  return [
    ...Array.from({ length: warmup }, (_, row) => mu('warmup_', chain, row)),
    ...Array.from({ length: draws }, (_, row) => mu('', chain, row)),
  ]
}

function allBlocks(warmup: number, draws: number): Sent[] {
  const sent: Sent[] = []
  for (const [prefix, rows] of [
    ['warmup_', warmup],
    ['', draws],
  ] as const) {
    for (let chain = 0; chain < CHAINS; chain++) {
      for (let k = 0; k * BLOCK < rows; k++) sent.push(...blockOf(prefix, rows, chain, k))
    }
  }
  return sent
}

test('any order, chunks that come twice, several at once, and restarts give the run of the model', async () => {
  const scenario = fc.record({
    warmup: fc.nat(9),
    draws: fc.integer({ min: 1, max: 17 }),
    order: fc.array(fc.nat(10_000), { minLength: 100, maxLength: 100 }),
    twice: fc.array(fc.nat(1000), { maxLength: 10 }),
    restarts: fc.array(fc.nat(1000), { maxLength: 5 }),
    atOnce: fc.integer({ min: 1, max: 8 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ warmup, draws, order, twice, restarts, atOnce }) => {
      const store = new MemoryStore()
      const backend = new StoreBackend(store)
      let uploads = new Uploads(backend)
      for (const sent of documentsOf(warmup, draws)) await send(uploads, sent)
      const blocks = allBlocks(warmup, draws)
      const more = twice.flatMap((i) => blocks[i % blocks.length] ?? [])
      const shuffled = [...blocks, ...more]
        .map((sent, i) => ({ sent, key: order[i % order.length] ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ sent }) => sent)
      const pauses = new Set(restarts.map((at) => at % shuffled.length))
      for (let at = 0; at < shuffled.length; at += atOnce) {
        await Promise.all(shuffled.slice(at, at + atOnce).map((sent) => send(uploads, sent)))
        if ([...pauses].some((pause) => pause >= at && pause < at + atOnce))
          uploads = new Uploads(new StoreBackend(store))
      }
      for (let chain = 0; chain < CHAINS; chain++) {
        expect(await stored(backend, chain)).toEqual({ values: expected(warmup, draws, chain), warmup })
      }
      // The next server forgets what this one has not come to.
      uploads = new Uploads(new StoreBackend(store))
      await uploads.with('r', async () => undefined)
      const left = (await store.listStaged('r', '')).map(({ path }) => path)
      expect(left.filter((path) => path.includes('/c/'))).toEqual(['z/posterior/school/c/0'])
      // A chunk that has become draws comes back with the same values, and may be sent once more.
      for (const sent of blocks.slice(0, 8)) await send(uploads, sent)
      await uploads.with('r', async (upload) => {
        const [first] = blocks.filter(({ bytes }) => bytes !== undefined)
        expect(await upload.chunk(first?.path ?? '')).toEqual(first?.bytes)
      })
    }),
    { numRuns: 60 },
  )
})

test('rows that may be written again wait, and an end stores what there is', async () => {
  const store = new MemoryStore()
  const backend = new StoreBackend(store)
  const uploads = new Uploads(backend)
  for (const sent of documentsOf(8, 16)) await send(uploads, sent)
  for (const k of [0, 1]) for (const sent of blockOf('warmup_', 8, 0, k)) await send(uploads, sent)
  for (const sent of blockOf('', 16, 0, 0, 2)) await send(uploads, sent)
  expect((await stored(backend, 0)).values).toEqual(expected(8, 0, 0))
  // The whole block, of which one array of integers is late.
  const whole = blockOf('', 16, 0, 0)
  for (const sent of whole.slice(0, 2)) await send(uploads, sent)
  expect((await stored(backend, 0)).values).toEqual(expected(8, 0, 0))
  for (const sent of whole.slice(2)) await send(uploads, sent)
  for (const sent of blockOf('', 16, 0, 1)) await send(uploads, sent)
  for (const sent of blockOf('', 16, 0, 2, 10)) await send(uploads, sent)
  for (const sent of blockOf('warmup_', 8, 1, 0, 3)) await send(uploads, sent)
  const restarted = new Uploads(new StoreBackend(store))
  // nutpie's end: an array of events has another length.
  const events = { path: '', shape: [CHAINS, 0], chunk: [1, BLOCK], type: 'uint64', dims: ['chain', 'divergence'] }
  await send(restarted, { path: 'sample_stats/divergence_draw/zarr.json', bytes: document(events) })
  expect((await stored(backend, 0)).values).toEqual(expected(8, 10, 0))
  expect(await stored(backend, 1)).toEqual({ values: expected(3, 0, 1), warmup: 3 })
  const run = await backend.getRun('r')
  expect((await run?.about())?.facts).toMatchObject({
    finishedAt: expect.any(String),
    expected: { draws: 16, warmup: 8 },
  })
  expect(await store.listStaged('r', 'm/')).toEqual([
    { path: expect.stringMatching(/^m\/[-\w]+\/done$/), size: 0 },
    { path: expect.stringMatching(/^m\/[-\w]+\/run$/), size: 0 },
  ])
})

test('a chunk that differs from what is stored is refused, and changes nothing', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const uploads = new Uploads(backend)
  for (const sent of [...documentsOf(0, 8), ...allBlocks(0, 8)]) await send(uploads, sent)
  const other = wrapped(new Uint8Array(new Float64Array([1, 2, 3, 4]).buffer))
  await expect(send(uploads, { path: 'posterior/mu/c/0/1', bytes: other })).rejects.toMatchObject({
    code: 'draw_conflict',
    fields: { length: 8, variable: 'mu' },
  })
  await expect(send(uploads, { path: 'posterior/mu/c/0/0' })).rejects.toMatchObject({ code: 'draw_conflict' })
  expect((await stored(backend, 0)).values).toEqual(expected(0, 8, 0))
})

test('a run that was registered elsewhere is not written', async () => {
  const backend = new StoreBackend(new MemoryStore())
  await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  await expect(send(new Uploads(backend), { path: 'zarr.json', bytes: group() })).rejects.toMatchObject({
    code: 'run_conflict',
  })
})
