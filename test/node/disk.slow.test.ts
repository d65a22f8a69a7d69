/** A disk that is full, or fails, for a while: the Node entry says so, keeps what it has, goes on afterwards, and stops when told. */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { type Api, drawBatch, expectProblem, jsonOf, runMeta } from '../http/api.ts'
import { openSmallDisk, type SmallDisk } from '../support/disk.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { NOT_ON_LINUX, testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MIB = 2 ** 20
const WIDTH = 8192
/** A draw has 64 KiB. A batch of eight goes to an object at once, one of a single draw to the journal. */
const LARGE = 8
const SMALL = 1
/** Chain 0 gets large batches, chain 1 small ones. */
const drawsOf = (chain: number, rid = 'r') => `/v1/runs/${rid}/chains/${chain}/draws`

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function start(folder: string): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: folder })
  endings.push(() => server.stop('SIGKILL'))
  return server
}

async function begin(api: Api, rid = 'r'): Promise<void> {
  await api.request('PUT', `/v1/runs/${rid}`, {
    body: runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [WIDTH] }] }),
  })
  for (const chain of [0, 1]) await api.request('PUT', `/v1/runs/${rid}/chains/${chain}`)
}

/** Registers a run with 2 MiB of metadata, which go to the write-ahead log. */
function register(api: Api, i: number): Promise<Response> {
  const attributes = { ballast: { stringValue: `${i} `.repeat(MIB).slice(0, 2 * MIB) } }
  const variables = [{ name: 'x', dtype: 'float64' }]
  return api.request('PUT', `/v1/runs/meta-${i}`, { body: runMeta({ variables, attributes }) })
}

/** Each number is the index of its draw. */
function append(api: Api, path: string, start: number, count: number): Promise<Response> {
  const values = Float64Array.from({ length: count * WIDTH }, (_, k) => start + Math.floor(k / WIDTH))
  const x = { name: 'x', dtype: 'float64', data: new Uint8Array(values.buffer) }
  return api.request('POST', path, { body: drawBatch({ start, count, draws: [x] }) })
}

const appendLarge = (api: Api, start: number) => append(api, drawsOf(0), start, LARGE)
const appendSmall = (api: Api, start: number) => append(api, drawsOf(1), start, SMALL)

async function expectRefused(response: Response): Promise<void> {
  expect(response.headers.get('Retry-After')).toMatch(/^\d+$/)
  await expectProblem(response, 503, 'storage_unavailable')
}

/** Appends until the storage refuses it; the length that was acknowledged. */
async function appendUntilRefused(api: Api, path: string, length: number, count: number): Promise<number> {
  for (let reached = length; ; ) {
    const response = await append(api, path, reached, count)
    if (response.status !== 200) {
      await expectRefused(response)
      return reached
    }
    reached = (await jsonOf(response)).length
  }
}

/** The length of a chain after an append to a disk that is about full: as before where it was refused. */
async function lengthAfter(response: Response, length: number): Promise<number> {
  if (response.status === 200) return (await jsonOf(response)).length
  await expectRefused(response)
  return length
}

/** Each draw of a chain is what was sent. */
async function expectDraws(api: Api, path: string, length: number): Promise<void> {
  const response = await api.get(`${path}?var=x&elem=0,${WIDTH - 1}`, { Accept: 'application/json' })
  expect(response.status).toBe(200)
  const { draws } = await jsonOf(response)
  const [first = [], last = []] = [draws.x.map((x: number[]) => x[0]), draws.x.map((x: number[]) => x[1])]
  const indices = Array.from({ length }, (_, i) => i)
  expect(first).toEqual(indices)
  expect(last).toEqual(indices)
}

/** Frames of the write-ahead log that are not in the database, seen by another process. */
function framesLeft(folder: string): number {
  const database = new Database(join(folder, 'mcbackend.sqlite'), { readonly: true })
  try {
    database.prepare('SELECT count(*) FROM runs').get()
    const row = database.prepare<[], { log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)').get()
    return (row?.log ?? 0) - (row?.checkpointed ?? 0)
  } finally {
    database.close()
  }
}

const takes = (request: () => Promise<Response>) =>
  expect.poll(async () => (await request()).ok, { timeout: 30_000 }).toBe(true)

/** Lines that were printed since, without those of requests. */
const complaints = (server: ServerProcess) =>
  server
    .output()
    .split('\n')
    .filter((line) => !/ (GET|PUT|POST|DELETE) |listening on/.test(line) && line !== '')

/** A server that its disk fails tells it in few lines, and its threads wait. */
async function expectCalm(server: ServerProcess): Promise<void> {
  const before = ticksOf(server)
  await new Promise((resolve) => setTimeout(resolve, 2000))
  // A hundredth of a second each: an idle thread has none to speak of.
  expect(ticksOf(server) - before).toBeLessThan(50)
  const said = complaints(server)
  expect(said.length).toBeLessThan(10)
  expect(said.filter((line) => /^\s+at /.test(line))).toEqual([])
}

/** Hundredths of a second of all processors that a process has used, by all its threads. */
function ticksOf(server: ServerProcess): number {
  const fields = readFileSync(`/proc/${server.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** Limits the size of files that a process writes; gives the reason where that cannot be done. */
function limitFiles(server: ServerProcess, bytes: number | 'unlimited'): string | undefined {
  const args = ['--pid', String(server.process.pid), `--fsize=${bytes}:`]
  const { status, stderr, error } = spawnSync('prlimit', args, { encoding: 'utf8' })
  return status === 0 ? undefined : `the size of files cannot be limited here (${error?.message ?? stderr.trim()})`
}

/** A server with a run and a run to be deleted, and the lengths of its chains once their disk is full. */
async function startOnFullDisk(disk: SmallDisk) {
  const server = await start(disk.folder)
  const { api } = server
  await begin(api)
  await begin(api, 'old')
  for (let i = 0; i < 8; i++) await append(api, drawsOf(0, 'old'), i * LARGE, LARGE)
  disk.fill(8 * MIB)
  let some = 0
  for (; some < 12; some += SMALL) expect((await appendSmall(api, some)).status).toBe(200)
  const large = await appendUntilRefused(api, drawsOf(0), 0, LARGE)
  const small = await appendUntilRefused(api, drawsOf(1), some, SMALL)
  return { server, api, large, small }
}

test('a full disk: 503 for appends, reads go on, and so does everything when there is room', async ({ skip }) => {
  const disk = openSmallDisk(64)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const { server, api, ...reached } = await startOnFullDisk(disk)
  let { large, small } = reached
  expect(large).toBeGreaterThan(0)
  expect(small).toBeGreaterThan(0)

  // A client that hammers at it does not fill the log as well. Room that a fold lets go of may take some more draws.
  for (let i = 0; i < 40; i++) {
    large = await lengthAfter(await appendLarge(api, large), large)
    small = await lengthAfter(await appendSmall(api, small), small)
  }
  expect(large - reached.large).toBeLessThan(20 * LARGE)
  await expectCalm(server)
  expect(complaints(server).join('\n')).toMatch(/storage_unavailable: .*(full|ENOSPC)/)
  expect((await api.get('/healthz')).status).toBe(200)
  await expectDraws(api, drawsOf(0), large)
  await expectDraws(api, drawsOf(1), small)

  // The index may have no byte left in which to note a deletion: then it is refused, and the run is there as before.
  const { status } = await api.request('DELETE', '/v1/runs/old')
  expect([204, 503]).toContain(status)
  if (status === 503) await expectDraws(api, drawsOf(0, 'old'), 8 * LARGE)
  disk.makeRoom()
  await takes(() => appendLarge(api, large))
  await takes(() => appendSmall(api, small))
  const all = { large: large + LARGE, small: small + SMALL }
  for (let i = 0; i < 8; i++) {
    expect((await appendLarge(api, all.large)).status).toBe(200)
    all.large += LARGE
    expect((await appendSmall(api, all.small)).status).toBe(200)
    all.small += SMALL
  }
  await expectDraws(api, drawsOf(0), all.large)
  await expectDraws(api, drawsOf(1), all.small)
  expect([204, 404]).toContain((await api.request('DELETE', '/v1/runs/old')).status)
  expect((await api.get('/v1/runs/old')).status).toBe(404)
  expect(await server.stop()).toBe(0)
})

test('on a disk that is full it stops when told, starts again, and reads', async ({ skip }) => {
  const disk = openSmallDisk(64)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const { server: first, large, small } = await startOnFullDisk(disk)
  expect(await first.stop()).toBe(0)
  const second = await start(disk.folder)
  await expectDraws(second.api, drawsOf(0), large)
  await expectDraws(second.api, drawsOf(1), small)
  disk.makeRoom()
  await takes(() => appendLarge(second.api, large))
  await takes(() => appendSmall(second.api, small))
  expect(await second.stop()).toBe(0)
})

test('files that may not grow: 503 for appends to objects and to the journal, and all goes on afterwards', async ({
  skip,
}) => {
  const folder = newFolder()
  endings.push(() => removeFolder(folder))
  const server = await start(folder)
  const { api } = server
  await begin(api)
  const refused = limitFiles(server, 5 * MIB)
  if (refused !== undefined) return skip(refused)
  const large = await appendUntilRefused(api, drawsOf(0), 0, LARGE)
  expect(large).toBe((5 * MIB) / (8 * WIDTH))
  // A segment that may not grow is left, and the next one is begun: no append fails for longer than it takes to say so.
  let small = 0
  let failures = 0
  while (small * WIDTH * 8 < 12 * MIB) {
    const response = await appendSmall(api, small)
    if (response.status === 200) small += SMALL
    else {
      await expectRefused(response)
      failures++
    }
  }
  expect(failures).toBeGreaterThan(0)
  await expectCalm(server)
  expect(complaints(server).join('\n')).toMatch(/storage_unavailable: .*EFBIG/)
  expect(server.output()).toContain('the journal cannot be folded (')
  await expectDraws(api, drawsOf(0), large)
  await expectDraws(api, drawsOf(1), small)

  limitFiles(server, 'unlimited')
  await expect.poll(() => server.output()).toContain('the journal is folded again')
  await takes(() => appendLarge(api, large))
  await takes(() => appendSmall(api, small))
  expect(await server.stop()).toBe(0)
  const second = await start(folder)
  await expectDraws(second.api, drawsOf(0), large + LARGE)
  await expectDraws(second.api, drawsOf(1), small + SMALL)
  expect(await second.stop()).toBe(0)
})

test('a database that may not grow: its checkpoints fail, are tried again, and the server stops when told', async ({
  skip,
}) => {
  const folder = newFolder()
  endings.push(() => removeFolder(folder))
  const server = await start(folder)
  const { api } = server
  let runs = 0
  // Afterwards the database is larger than its log, and than a file may be.
  for (; runs < 32; runs++) expect((await register(api, runs)).status).toBe(201)
  await expect.poll(() => framesLeft(folder), { timeout: 30_000 }).toBeLessThan(1024)
  const refused = limitFiles(server, 36 * MIB)
  if (refused !== undefined) return skip(refused)
  expect(statSync(join(folder, 'mcbackend.sqlite')).size).toBeGreaterThan(40 * MIB)

  for (; ; runs++) {
    const response = await register(api, runs)
    if (response.status === 201) continue
    await expectRefused(response)
    break
  }
  await expect.poll(() => server.output(), { timeout: 30_000 }).toContain('write-ahead log cannot be copied')
  await expectCalm(server)
  expect((await api.get(`/v1/runs/meta-${runs - 1}`)).status).toBe(200)
  limitFiles(server, 'unlimited')
  await takes(() => register(api, runs))
  await expect.poll(() => server.output(), { timeout: 30_000 }).toContain('copied into the database again')
  for (let i = 0; i <= runs; i++) expect((await api.get(`/v1/runs/meta-${i}`)).status).toBe(200)
  expect(await server.stop()).toBe(0)
})

testUnless(NOT_ON_LINUX)(
  'a reader that needs the past: the log is copied when it is gone, and nobody spins',
  async () => {
    const folder = newFolder()
    endings.push(() => removeFolder(folder))
    const server = await start(folder)
    const { api } = server
    expect((await register(api, 0)).status).toBe(201)
    const reader = new Database(join(folder, 'mcbackend.sqlite'), { readonly: true })
    endings.push(() => reader.close())
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM runs').get()
    for (let i = 1; i < 24; i++) expect((await register(api, i)).status).toBe(201)
    expect(framesLeft(folder)).toBeGreaterThan(1024)
    await expectCalm(server)
    reader.exec('COMMIT')
    await expect.poll(() => framesLeft(folder), { timeout: 30_000 }).toBe(0)
    expect((await register(api, 24)).status).toBe(201)
    expect(await server.stop()).toBe(0)
  },
)
