/** Too little free disk: what would grow is refused before the disk is full; the ways out stay open. */
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { leastFreeOf } from '../../src/node/free-disk.ts'
import { DRAWS, drawBatch, expectProblem, iterations, jsonOf, META, runMeta, withDraws } from '../http/api.ts'
import { openSmallDisk } from '../support/disk.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MIB = 2 ** 20
const OPERATOR = 'operator-token-of-the-free-disk-0a1b'
/** More than any disk has. */
const ALL = '1000000000'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

function folderOfTest(): string {
  const folder = newFolder()
  endings.push(() => removeFolder(folder))
  return folder
}

async function start(env: { readonly [name: string]: string }): Promise<ServerProcess> {
  const server = await startServer(env)
  endings.push(() => server.stop('SIGKILL'))
  return server
}

/** Writes of all kinds, none of which may change anything. */
const WRITES = [
  ['POST', DRAWS, drawBatch(iterations(3, 1))],
  ['PUT', '/v1/runs/new', runMeta({ ...META, rid: 'new' })],
  ['POST', '/v1/runs', runMeta({ ...META, rid: '' })],
  ['PUT', '/v1/runs/r/chains/1', undefined],
  ['PATCH', '/v1/runs/r/about', new TextEncoder().encode('{"name":"n"}')],
] as const

test('below the threshold: 503 for what grows, from the first request on; reads and deletions go on', async () => {
  const folder = folderOfTest()
  const first = await start({ MCB_DATA_DIR: folder })
  await withDraws(first.api, 3)
  expect(await first.stop()).toBe(0)

  const second = await start({ MCB_DATA_DIR: folder, MCB_MIN_FREE_MIB: ALL })
  const { api, output } = second
  for (const [method, path, body] of WRITES) {
    const answer = await api.request(method, path, body && { body })
    expect(answer.headers.get('Retry-After')).toBe('10')
    const { detail } = await expectProblem(answer, 503, 'storage_unavailable')
    expect(detail).toMatch(/has \d+ MiB free, less than the 1000000000 MiB .*delete runs/)
    expect(detail).not.toContain(folder)
  }
  await expectProblem(await api.get('/readyz'), 503, 'storage_unavailable')
  expect((await api.get('/healthz')).status).toBe(200)
  expect(await jsonOf(await api.get('/v1/runs/r/chains'))).toMatchObject({ chains: [{ length: 3 }] })
  expect(await jsonOf(await api.get(DRAWS, { Accept: 'application/json' }))).toMatchObject({ count: 3 })
  expect((await api.request('DELETE', '/v1/runs/r')).status).toBe(204)
  expect(await jsonOf(await api.get('/v1/runs'))).toEqual({ runs: [] })
  // The log says it once, however many requests meet it; its lines may come behind the answers.
  const said = () =>
    output()
      .split('\n')
      .filter((line) => line.includes('storage_unavailable'))
  await expect.poll(said).toHaveLength(1)
  expect(await second.stop()).toBe(0)
  expect(said()).toHaveLength(1)
})

test('what is wrong with a request is told first; the operator may still manage', async () => {
  const folder = folderOfTest()
  const keys = { MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR }
  const { api } = await start({ MCB_DATA_DIR: folder, MCB_MIN_FREE_MIB: ALL, ...keys })
  const headers = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
  const post = (path: string, value: object) =>
    api.request('POST', path, { headers, body: new TextEncoder().encode(JSON.stringify(value)) })
  expect((await post('/v1/tenants', { tenant: 'lab' })).status).toBe(201)
  const keyOf = async (scope: string) =>
    `Bearer ${(await jsonOf(await post('/v1/tenants/lab/keys', { name: 'k', scopes: [scope] }))).key}`
  const body = runMeta(META)
  const put = (authorization?: string) =>
    api.request('PUT', '/v1/runs/r', { headers: authorization ? { Authorization: authorization } : {}, body })
  await expectProblem(await put(), 401, 'unauthorized')
  await expectProblem(await put(await keyOf('read')), 403, 'forbidden')
  await expectProblem(await put(await keyOf('write')), 503, 'storage_unavailable')
})

test('deleting is a way out: it gives back the disk', async ({ skip }) => {
  const disk = openSmallDisk(96)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const { api } = await start({ MCB_DATA_DIR: disk.folder, MCB_MIN_FREE_MIB: '40' })
  const wide = { variables: [{ name: 'x', dtype: 'float64', shape: [8192] }] }
  const register = async (rid: string) => {
    expect((await api.request('PUT', `/v1/runs/${rid}`, { body: runMeta(wide) })).status).toBe(201)
    expect((await api.request('PUT', `/v1/runs/${rid}/chains/0`)).status).toBe(201)
  }
  const append = async (rid: string, start: number) => {
    const x = { name: 'x', dtype: 'float64', data: new Uint8Array(8 * 8192 * 8) }
    const body = drawBatch({ start, count: 8, draws: [x] })
    return (await api.request('POST', `/v1/runs/${rid}/chains/0/draws`, { body })).status
  }
  await register('first')
  let length = 0
  await expect
    .poll(
      async () => {
        const status = await append('first', length)
        if (status === 200) length += 8
        return status
      },
      { interval: 20, timeout: 40_000 },
    )
    .toBe(503)
  expect(length * 64 * 1024).toBeGreaterThan(16 * MIB)
  expect((await api.request('DELETE', '/v1/runs/first')).status).toBe(204)
  await expect.poll(async () => (await api.get('/readyz')).status, { timeout: 20_000 }).toBe(200)
  expect(disk.free()).toBeGreaterThan(40 * MIB)
  await register('second')
  expect(await append('second', 0)).toBe(200)
})

test('MCB_MIN_FREE_MIB=0, and storages without a file here, have no threshold', async () => {
  const none = await start({ MCB_DATA_DIR: folderOfTest(), MCB_MIN_FREE_MIB: '0' })
  await withDraws(none.api, 1)
  const memory = await start({ MCB_STORAGE: 'memory', MCB_MIN_FREE_MIB: ALL })
  await withDraws(memory.api, 1)
  expect((await memory.api.get('/readyz')).status).toBe(200)
})

test('the default is that of the protocol', () => {
  expect(leastFreeOf(undefined)).toBe(1024 * MIB)
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  expect(page).toContain('less than 1,024 MiB free')
})

test('a disk that fills and empties: refused while SQLite could still write, and taken again', async ({ skip }) => {
  const disk = openSmallDisk(64)
  if (typeof disk === 'string') return skip(disk)
  endings.push(() => disk.close())
  const { api, stop, output } = await start({ MCB_DATA_DIR: disk.folder, MCB_MIN_FREE_MIB: '24' })
  await withDraws(api, 1)
  let length = 1
  const append = async () => {
    const answer = await api.request('POST', DRAWS, { body: drawBatch(iterations(length, 1)) })
    if (answer.status === 200) length++
    return answer.status
  }
  expect(await append()).toBe(200)
  disk.fill(16 * MIB)
  await expect.poll(append, { interval: 100, timeout: 10_000 }).toBe(503)
  await expectProblem(await api.get('/readyz'), 503, 'storage_unavailable')
  expect(output()).not.toMatch(/SqliteError|SQLITE_FULL/)
  expect(disk.free()).toBeGreaterThan(8 * MIB)
  disk.makeRoom()
  await expect.poll(append, { interval: 100, timeout: 10_000 }).toBe(200)
  expect((await api.get('/readyz')).status).toBe(200)
  expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length })
  expect(await stop()).toBe(0)
})
