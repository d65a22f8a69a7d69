/** A disk that is full, or fails, for a while: the Node entry says so, keeps what it has, goes on afterwards, and stops when told. */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { type Api, drawBatch, expectProblem, jsonOf, runMeta } from '../http/api.ts'
import { openSmallDisk } from '../support/disk.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { NOT_ON_LINUX, testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MIB = 2 ** 20
const WIDTH = 8192
/** A draw has 64 KiB, and a batch 512 KiB: it is folded into chunks at once. */
const COUNT = 8
const DRAWS = '/v1/runs/r/chains/0/draws'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function start(folder: string): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: folder })
  endings.push(() => server.stop('SIGKILL'))
  return server
}

async function begin(api: Api): Promise<void> {
  await api.request('PUT', '/v1/runs/r', {
    body: runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [WIDTH] }] }),
  })
  await api.request('PUT', '/v1/runs/r/chains/0')
}

function append(api: Api, start: number): Promise<Response> {
  const values = Float64Array.from({ length: COUNT * WIDTH }, (_, k) => start + Math.floor(k / WIDTH))
  const x = { name: 'x', dtype: 'float64', data: new Uint8Array(values.buffer) }
  return api.request('POST', DRAWS, { body: drawBatch({ start, count: COUNT, draws: [x] }) })
}

/** Appends until `enough`, from draw `length`; the new length. */
async function appendUntil(api: Api, length: number, enough: (length: number) => boolean): Promise<number> {
  let reached = length
  while (!enough(reached)) {
    const response = await append(api, reached)
    expect(response.status).toBe(200)
    reached = (await jsonOf(response)).length
  }
  return reached
}

/** Appends until the storage refuses it; the length that was acknowledged. */
async function appendUntilRefused(api: Api, length: number): Promise<number> {
  for (let reached = length; ; ) {
    const response = await append(api, reached)
    if (response.status !== 200) {
      expect(response.headers.get('Retry-After')).toMatch(/^\d+$/)
      await expectProblem(response, 503, 'storage_unavailable')
      return reached
    }
    reached = (await jsonOf(response)).length
  }
}

/** The first element of each draw is its index. */
async function expectDraws(api: Api, length: number): Promise<void> {
  const response = await api.get(`${DRAWS}?var=x&step=${COUNT}`, { Accept: 'application/json' })
  expect(response.status).toBe(200)
  const { draws } = await jsonOf(response)
  const indices = Array.from({ length: length / COUNT }, (_, i) => i * COUNT)
  expect(draws.x.map((values: number[]) => values[0])).toEqual(indices)
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

const takes = (api: Api, length: number) =>
  expect.poll(async () => (await append(api, length)).status, { timeout: 30_000 }).toBe(200)

/** Lines that were printed since, without those of requests. */
const complaints = (server: ServerProcess) =>
  server
    .output()
    .split('\n')
    .filter((line) => !/ (GET|PUT|POST) |listening on/.test(line) && line !== '')

test('a full disk: 503 for writes, reads go on, and so does everything when there is room', async ({ skip }) => {
  const disk = openSmallDisk(96)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const server = await start(disk.folder)
  const { api } = server
  await begin(api)
  // The log has 16 MiB when its checkpoint begins, for which there is no room in the database.
  disk.fill(22 * MIB)
  const length = await appendUntilRefused(api, 0)
  expect(length).toBeGreaterThan(0)
  await expect.poll(() => server.output(), { timeout: 30_000 }).toContain('write-ahead log cannot be copied')

  // A client that hammers at it does not fill the log as well.
  for (let i = 0; i < 40; i++) await expectProblem(await append(api, length), 503, 'storage_unavailable')
  const said = complaints(server)
  expect(said.length).toBeLessThan(10)
  expect(said.filter((line) => /^\s+at /.test(line))).toEqual([])
  expect(said.join('\n')).toMatch(/storage_unavailable: .*(full|I\/O)/)
  expect((await api.get('/healthz')).status).toBe(200)
  await expectDraws(api, length)

  disk.makeRoom()
  await takes(api, length)
  await expect.poll(() => framesLeft(disk.folder), { timeout: 30_000 }).toBe(0)
  await expect.poll(() => server.output()).toContain('copied into the database again')
  await expectDraws(api, length + COUNT)
  expect(await server.stop()).toBe(0)
})

test('on a disk that is full it stops when told, starts again, and reads', async ({ skip }) => {
  const disk = openSmallDisk(96)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const first = await start(disk.folder)
  await begin(first.api)
  disk.fill(22 * MIB)
  const length = await appendUntilRefused(first.api, 0)
  expect(await first.stop()).toBe(0)
  const second = await start(disk.folder)
  await expectDraws(second.api, length)
  disk.makeRoom()
  await takes(second.api, length)
  expect(await second.stop()).toBe(0)
})

test('a file that may not grow: its checkpoints fail, are tried again, and the server stops when told', async ({
  skip,
}) => {
  const folder = newFolder()
  endings.push(() => removeFolder(folder))
  const server = await start(folder)
  const { api } = server
  await begin(api)
  // Afterwards the database is larger than its log, and than a file may be.
  let length = await appendUntil(api, 0, (reached) => reached * WIDTH * 8 >= 64 * MIB)
  await expect.poll(() => framesLeft(folder), { timeout: 30_000 }).toBeLessThan(1024)
  const limit = (bytes: string) =>
    spawnSync('prlimit', ['--pid', String(server.process.pid), `--fsize=${bytes}:`], { encoding: 'utf8' })
  const { status, stderr, error } = limit(String(36 * MIB))
  if (status !== 0) return skip(`the size of files cannot be limited here (${error?.message ?? stderr.trim()})`)
  expect(statSync(join(folder, 'mcbackend.sqlite')).size).toBeGreaterThan(40 * MIB)

  length = await appendUntilRefused(api, length)
  await expect.poll(() => server.output(), { timeout: 30_000 }).toContain('write-ahead log cannot be copied')
  await expectDraws(api, length)
  limit('unlimited')
  await takes(api, length)
  length += COUNT
  await expect.poll(() => server.output(), { timeout: 30_000 }).toContain('copied into the database again')
  await expectDraws(api, length)
  expect(await server.stop()).toBe(0)
})

testUnless(NOT_ON_LINUX)(
  'a reader that needs the past: the log is copied when it is gone, and nobody spins',
  async () => {
    const folder = newFolder()
    endings.push(() => removeFolder(folder))
    const server = await start(folder)
    const { api } = server
    await begin(api)
    let length = await appendUntil(api, 0, (reached) => reached > 0)
    const reader = new Database(join(folder, 'mcbackend.sqlite'), { readonly: true })
    endings.push(() => reader.close())
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM runs').get()
    length = await appendUntil(api, length, (reached) => reached * WIDTH * 8 >= 40 * MIB)
    expect(framesLeft(folder)).toBeGreaterThan(1024)
    const before = ticksOf(server)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    // A hundredth of a second each: an idle thread has none to speak of.
    expect(ticksOf(server) - before).toBeLessThan(50)
    reader.exec('COMMIT')
    await expect.poll(() => framesLeft(folder), { timeout: 30_000 }).toBe(0)
    await appendUntil(api, length, (reached) => reached > length)
    expect(await server.stop()).toBe(0)
  },
)

/** Hundredths of a second of all processors that a process has used, by all its threads. */
function ticksOf(server: ServerProcess): number {
  const fields = readFileSync(`/proc/${server.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}
