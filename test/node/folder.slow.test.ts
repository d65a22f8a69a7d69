/** The folder of the data: one server owns it, and starts on nothing but a whole database of a version that it knows. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { drawBatch, iterations, jsonOf, withDraws } from '../http/api.ts'
import { runServer, type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const BACKUP = fileURLToPath(new URL('../../scripts/backup.mjs', import.meta.url))
const RESTORE = fileURLToPath(new URL('../../scripts/restore.mjs', import.meta.url))
const PAGE = 16 * 1024

let folder: string
let path: string
let servers: ServerProcess[]
beforeEach(() => {
  folder = newFolder()
  path = join(folder, 'mcbackend.sqlite')
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  removeFolder(folder)
})

async function start(env: { readonly [name: string]: string } = {}): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: folder, ...env })
  servers.push(server)
  return server
}

/** A folder that a server has used and left. */
async function written(draws: number): Promise<void> {
  const server = await start()
  await withDraws(server.api, draws)
  expect(await server.stop()).toBe(0)
}

async function expectRefused(parts: readonly string[], env: { readonly [name: string]: string } = {}): Promise<void> {
  const { code, output } = await runServer({ MCB_DATA_DIR: folder, ...env })
  expect(output.trim().split('\n')).toHaveLength(1)
  for (const part of parts) expect(output).toContain(part)
  expect(code).toBe(1)
}

const lengthOf = async ({ api }: ServerProcess): Promise<number> =>
  (await jsonOf(await api.get('/v1/runs/r/chains/0'))).length

describe('a second server', () => {
  test('is refused after a while, and the first goes on', async () => {
    const first = await start()
    await withDraws(first.api, 3)
    const begun = performance.now()
    await Promise.all([
      expectRefused([folder, 'another server', 'MCB_DATA_DIR']),
      expectRefused([folder, 'another server'], { MCB_STORAGE: 'clickhouse', CLICKHOUSE_URL: 'http://127.0.0.1:9' }),
    ])
    expect(performance.now() - begun).toBeGreaterThan(9000)
    const response = await first.api.request('POST', '/v1/runs/r/chains/0/draws', { body: drawBatch(iterations(3, 2)) })
    expect(await jsonOf(response)).toEqual({ chain: 0, length: 5 })
  })

  test('starts when the one before has finished what it had accepted', async () => {
    const first = await start()
    await withDraws(first.api, 3)
    const second = start()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await first.stop()).toBe(0)
    expect(await lengthOf(await second)).toBe(3)
  })

  test.each(['sqlite', 'clickhouse'])('starts after kill -9: %s', async (kind) => {
    const env = { MCB_STORAGE: kind, CLICKHOUSE_URL: 'http://127.0.0.1:9' }
    const first = await start(env)
    await first.stop('SIGKILL')
    await start(env)
  })
})

test('who reads or copies the file is not kept away, and keeps no server away', async () => {
  await written(3)
  const reader = new Database(path, { readonly: true })
  try {
    const count = () => reader.prepare<[], { n: number }>('SELECT count(*) AS n FROM runs').get()
    reader.exec('BEGIN')
    expect(count()).toEqual({ n: 1 })
    const server = await start()
    expect(await lengthOf(server)).toBe(3)
    const target = `${folder}-backup`
    await promisify(execFile)(process.execPath, [BACKUP, target], { env: { ...process.env, MCB_DATA_DIR: folder } })
    expect(existsSync(target)).toBe(true)
    removeFolder(target)
    expect(count()).toEqual({ n: 1 })
    expect(await server.stop()).toBe(0)
  } finally {
    reader.close()
  }
})

test.each(['sqlite', 'clickhouse'])('a file of a newer version is left as it is: %s', async (kind) => {
  await written(3)
  const database = new Database(path)
  database
    .prepare("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of the future', ?)")
    .run(Date.UTC(2101, 1, 3))
  database.close()
  const before = readFileSync(path)
  await expectRefused([path, 'newer version', '2101-02-03', 'backup'], {
    MCB_STORAGE: kind,
    CLICKHOUSE_URL: 'http://127.0.0.1:9',
  })
  expect(readFileSync(path).equals(before)).toBe(true)
})

describe('a damaged file is named as such', () => {
  test('its first page', async () => {
    await written(3)
    writeFileSync(path, new Uint8Array(PAGE), { flag: 'r+' })
    await expectRefused([path, 'damaged', 'backup'])
  })

  test('its end is missing', async () => {
    await written(3)
    truncateSync(path, 3 * PAGE)
    await expectRefused([path, 'damaged', 'backup'])
  })

  test('the beginning of a table', async () => {
    await written(3)
    const database = new Database(path)
    const { rootpage } = database
      .prepare<[], { rootpage: number }>("SELECT rootpage FROM sqlite_master WHERE name = 'chains'")
      .get() ?? { rootpage: 0 }
    database.close()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, (rootpage - 1) * PAGE, rootpage * PAGE)
    writeFileSync(path, bytes)
    await expectRefused([path, 'damaged', 'backup'])
  })

  test('a database of something else', async () => {
    const other = new Database(path)
    other.exec('CREATE TABLE addresses (name TEXT)')
    other.close()
    const before = readFileSync(path)
    await expectRefused([path, 'no database of this server', 'addresses'])
    expect(readFileSync(path).equals(before)).toBe(true)
  })
})

describe('a database that was there', () => {
  test('and is gone, or empty, is missed, until that is meant', async () => {
    await written(3)
    const kept = join(folder, 'kept')
    renameSync(path, kept)
    await expectRefused([path, 'missing', 'mcbackend.created'])
    writeFileSync(path, '')
    await expectRefused([path, 'empty', 'mcbackend.created'])
    rmSync(path)
    renameSync(kept, path)
    const again = await start()
    expect(await lengthOf(again)).toBe(3)
    expect(await again.stop()).toBe(0)
    rmSync(path)
    rmSync(join(folder, 'mcbackend.created'))
    const anew = await start()
    expect((await anew.api.get('/v1/runs/r')).status).toBe(404)
  })

  test('in a folder of before there was a marker', async () => {
    await written(3)
    rmSync(join(folder, 'mcbackend.created'))
    const server = await start()
    expect(await lengthOf(server)).toBe(3)
    // Killed, it leaves its log, which SQLite would delete if the database were begun anew.
    await server.stop('SIGKILL')
    rmSync(join(folder, 'mcbackend.created'))
    const log = `${path}-wal`
    copyFileSync(path, join(folder, 'kept'))
    writeFileSync(log, 'what it says')
    rmSync(path)
    await expectRefused([path, 'missing', log])
    writeFileSync(path, '')
    await expectRefused([path, 'empty', log])
    expect(readFileSync(log, 'utf8')).toBe('what it says')
  })

  test('has a copy in its place, as the guide says', async () => {
    await written(3)
    const [target, before] = [`${folder}-backup`, `${folder}-before`]
    await promisify(execFile)(process.execPath, [BACKUP, target], { env: { ...process.env, MCB_DATA_DIR: folder } })
    const server = await start()
    await server.api.request('POST', '/v1/runs/r/chains/0/draws', { body: drawBatch(iterations(3, 2)) })
    await server.stop('SIGKILL')
    renameSync(folder, before)
    await promisify(execFile)(process.execPath, [RESTORE, target, folder])
    removeFolder(target)
    removeFolder(before)
    expect(await lengthOf(await start())).toBe(3)
  })
})

test('a first start that was cut off before there was a database is made good', async () => {
  writeFileSync(join(folder, 'mcbackend.lock'), '')
  writeFileSync(path, '')
  const server = await start()
  await withDraws(server.api, 1)
  expect(await lengthOf(server)).toBe(1)
})
