/** A verification finds nothing where all is as it was written, and says of each flipped bit which draws it concerns. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { Store } from '../../src/core/store.ts'
import { backUp } from '../../src/node/backup/backup.ts'
import { restore } from '../../src/node/backup/restore.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import type { Damage, Verdict } from '../../src/node/verify/findings.ts'
import { verifyBackup, verifyFolder } from '../../src/node/verify/verify.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { type Api, column, drawBatch, iterations, newApp, runMeta, withDraws } from '../http/api.ts'
import { runScript } from '../support/scripts.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

const WIDE = 64
const WIDE_DRAWS = 4000
let root: string
let pristine: string
let folder: string

const apiOn = (store: Store): Api => newApp({ openBackend: () => new StoreBackend(store) }).api

async function post(api: Api, path: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await api.request('POST', path, { body })
  expect(answer.status).toBe(200)
}

async function register(api: Api, rid: string, meta: object): Promise<void> {
  expect((await api.request('PUT', `/v1/runs/${rid}`, { body: runMeta({ ...meta, rid }) })).status).toBeLessThan(300)
  expect((await api.request('PUT', `/v1/runs/${rid}/chains/0`)).status).toBeLessThan(300)
}

const numbers = (start: number, count: number, width: number) => ({
  name: 'w',
  dtype: 'float64',
  data: new Uint8Array(Float64Array.from({ length: count * width }, (_, i) => start * width + i).buffer),
})

/** Runs as a version before has left them: a tail in rows, and chunks that hold their bytes. */
async function writeOlder(path: string): Promise<void> {
  const driver = new FileDriver({ path, migrations: MIGRATIONS })
  const api = apiOn(new SqliteStore(driver, 'older', DEFAULT_LIMITS))
  await register(api, 'old', { variables: [{ name: 'w', dtype: 'float64', shape: [WIDE] }] })
  await post(api, '/v1/runs/old/chains/0/draws', drawBatch({ start: 0, count: 2000, draws: [numbers(0, 2000, WIDE)] }))
  for (const start of [2000, 2010])
    await post(api, '/v1/runs/old/chains/0/draws', drawBatch({ start, count: 10, draws: [numbers(start, 10, WIDE)] }))
  driver.close()
}

async function writeAll(path: string): Promise<void> {
  const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
  const store = storage.openStore('lab')
  const api = apiOn(store)
  // Numbers, ragged ones and strings, in objects and small chunks, and a tail in the journal.
  await withDraws(api, 30_000)
  for (let start = 30_000; start < 30_050; start += 10)
    await post(api, '/v1/runs/r/chains/0/draws', drawBatch(iterations(start, 10)))
  await register(api, 'wide', { variables: [{ name: 'w', dtype: 'float64', shape: [WIDE] }] })
  const wide = drawBatch({ start: 0, count: WIDE_DRAWS, draws: [numbers(0, WIDE_DRAWS, WIDE)] })
  await post(api, '/v1/runs/wide/chains/0/draws', wide)
  const noted = await api.request('PATCH', '/v1/runs/wide/about', {
    headers: { 'Content-Type': 'application/merge-patch+json' },
    body: new TextEncoder().encode('{"notes":"noted"}'),
  })
  expect(noted.status).toBe(200)
  // A stat that comes never, and one whose draws are larger than a row.
  const stat = { name: 'seldom', dtype: 'float64', shape: [1000] }
  await register(api, 'absent', { variables: [{ name: 'x', dtype: 'float64' }], sampleStats: [stat] })
  const x = Array.from({ length: 40_000 }, (_, i) => i)
  await post(
    api,
    '/v1/runs/absent/chains/0/draws',
    drawBatch({ start: 0, count: x.length, draws: [column('x', ...x)] }),
  )
  await register(api, 'large', { variables: [{ name: 'w', dtype: 'float64', shape: [200_000] }] })
  for (const start of [0, 1])
    await post(
      api,
      '/v1/runs/large/chains/0/draws',
      drawBatch({ start, count: 1, draws: [numbers(start, 1, 200_000)] }),
    )
  // A chunk that is still small, beside a tail.
  await register(api, 'small', { variables: [{ name: 'x', dtype: 'float64' }] })
  for (let start = 0; start < 1040; start++) {
    if (start === 1024) await vi.waitFor(() => expect(levelsIn(path)).toBeGreaterThan(0), { timeout: 10_000 })
    await post(api, '/v1/runs/small/chains/0/draws', drawBatch({ start, count: 1, draws: [column('x', start)] }))
  }
  for (const [i, size] of [10, 0, 2_500_000].entries())
    await store.stage('staged', `c/${i}`, new Uint8Array(size).fill(i))
  await storage.close()
}

/** Chains of the run of small batches that have small chunks. */
function levelsIn(path: string): unknown {
  const database = new Database(path, { readonly: true })
  try {
    const sql =
      "SELECT count(*) FROM levels JOIN chains ON chains.id = chain_id JOIN runs ON runs.id = run_id WHERE rid = 'small'"
    return database.prepare(sql).pluck().get()
  } finally {
    database.close()
  }
}

async function verified(verify: (tell: (damage: Damage) => void) => Promise<Verdict>) {
  const damages: Damage[] = []
  const verdict = await verify((damage) => void damages.push(damage))
  expect(verdict.damages).toBe(damages.length)
  return { ...verdict, found: damages }
}

const inFolder = (place = folder) => verified((tell) => verifyFolder(place, { tell }))

beforeAll(async () => {
  root = newFolder()
  pristine = join(root, 'pristine')
  mkdirSync(pristine)
  await writeOlder(join(pristine, 'mcbackend.sqlite'))
  await writeAll(join(pristine, 'mcbackend.sqlite'))
})
afterAll(() => removeFolder(root))
beforeEach(() => {
  folder = join(root, 'folder')
  removeFolder(folder)
  cpSync(pristine, folder, { recursive: true })
})

function inIndex<T>(work: (database: Database.Database) => T): T {
  const database = new Database(join(folder, 'mcbackend.sqlite'))
  try {
    return work(database)
  } finally {
    database.close()
  }
}

/** Iterations of a run's chain that are in chunks. */
function foldedOf(rid: string): number {
  const sql = 'SELECT folded FROM chains WHERE id = ?'
  const id = chainOf(rid)
  return inIndex((database) => database.prepare<[number], { folded: number }>(sql).get(id)?.folded ?? 0)
}

/** Id of the chain of a run. */
function chainOf(rid: string): number {
  const sql = 'SELECT c.id FROM chains c JOIN runs r ON r.id = c.run_id WHERE r.rid = ?'
  return inIndex((database) => database.prepare<[string], { id: number }>(sql).get(rid)?.id ?? 0)
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

function objectOf(rid: string): string {
  const id = chainOf(rid)
  return join(folder, 'objects', (id % 256).toString(16).padStart(2, '0'), `${id}.1`)
}

const journals = () => readdirSync(join(folder, 'journal')).map((name) => join(folder, 'journal', name))

/** Place in a file of the bytes of a number. */
function placeIn(path: string, value: number, from = 0): number {
  return readFileSync(path).indexOf(Buffer.from(new Float64Array([value]).buffer), from)
}

describe('all that is as it was written is sound', () => {
  test('in a folder', async () => {
    const verdict = await inFolder()
    expect(verdict).toMatchObject({ found: [], damagedChains: [], strays: [], unsummed: 0 })
    expect(verdict).toMatchObject({ runs: 6, chains: 6, staged: 3 })
    expect(verdict.draws).toBe(2020 + 30_050 + WIDE_DRAWS + 40_000 + 2 + 1040)
    expect(verdict.bytes).toBeGreaterThan(7_000_000)
  })

  test('in a backup, and in what is restored of it', async () => {
    const target = join(root, 'backup')
    const made = await backUp({ data: folder, target, keep: 1, version: 'of a test' })
    expect(made.damages).toEqual([])
    const before = await inFolder()
    const copied = await verified((tell) => verifyBackup(target, undefined, { tell }))
    expect(copied).toMatchObject({ found: [], draws: before.draws, staged: 3 })
    const restored = join(root, 'restored')
    await restore({ backup: target, name: undefined, target: restored })
    expect(await inFolder(restored)).toMatchObject({ found: [], draws: before.draws, staged: 3, strays: [] })
  })

  test('objects that nothing names are told, and no damage', async () => {
    cpSync(objectOf('wide'), join(folder, 'objects', '00', '512.1'))
    expect(await inFolder()).toMatchObject({ found: [], strays: [{ key: '512.1' }] })
  })
})

describe('damage is told with its place', () => {
  test('a flipped bit in an object', async () => {
    const path = objectOf('wide')
    // In the block that holds draws 3008 to 3040.
    flip(path, placeIn(path, 3010 * WIDE + 5))
    const { found, damagedChains } = await inFolder()
    expect(found).toMatchObject([{ tenant: 'lab', rid: 'wide', chain: 0, variable: 'w', from: 3008, to: 3040 }])
    expect(found[0]?.what).toContain('between bytes')
    expect(damagedChains).toEqual([{ tenant: 'lab', rid: 'wide', chain: 0, length: WIDE_DRAWS, soundTo: 3008 }])
    const { code, output } = await runScript('verify', [folder])
    expect(code).toBe(1)
    expect(output).toMatch(/^damaged: tenant "lab", run "wide", chain 0, "w", iterations 3008 to 3040: the object/m)
    expect(output).toMatch(/^tenant "lab", run "wide", chain 0: sound up to iteration 3008 of 4000$/m)
    const json = await runScript('verify', [folder, '--json'])
    expect(JSON.parse(json.output)).toMatchObject({
      sound: false,
      damages: [{ from: 3008 }],
      damagedChains: [{ soundTo: 3008 }],
    })
  })

  test('an object that ends before, and one that is missing', async () => {
    truncateSync(objectOf('wide'), 1000 * WIDE * 8)
    rmSync(objectOf('absent'))
    const { found, damagedChains } = await inFolder()
    expect(found).toMatchObject([
      { rid: 'wide', from: 992, to: WIDE_DRAWS },
      { rid: 'absent', variable: 'x', from: 0, to: 40_000, what: expect.stringContaining('missing') },
    ])
    expect(damagedChains).toMatchObject([{ soundTo: 992 }, { soundTo: 0 }])
  })

  test.each([
    [
      'a bit of a small chunk',
      "UPDATE chunks SET data = x'00' || substr(data, 2) WHERE chain_id = :small AND data IS NOT NULL",
      'small',
      0,
    ],
    ['a place in an object', 'UPDATE chunks SET at = at + 1 WHERE chain_id = :wide', 'wide', 0],
    ['a chunk that is gone', 'DELETE FROM chunks WHERE chain_id = :absent AND col = 1', 'absent', 0],
    ['a length', 'UPDATE chains SET folded = folded - 8, sum = NULL WHERE id = :wide', 'wide', WIDE_DRAWS - 8],
    [
      'the list of small chunks',
      "UPDATE levels SET levels = replace(levels, '1', '2') WHERE chain_id = :small",
      'small',
      1040,
    ],
    ['a row of an old tail', 'UPDATE tail SET count = 11 WHERE start = 2010', 'old', 2010],
    ['a row of an old tail that is gone', 'DELETE FROM tail WHERE start = 2000', 'old', 2000],
  ])('in the index: %s', async (_, sql, rid, soundTo) => {
    const statement = sql.replace(/:(\w+)/, (_match, name: string) => String(chainOf(name)))
    expect(inIndex((database) => database.prepare(statement).run()).changes).toBeGreaterThan(0)
    const { found, damagedChains } = await inFolder()
    expect(found.length).toBeGreaterThan(0)
    expect(found.every((damage) => damage.rid === rid)).toBe(true)
    expect(damagedChains).toMatchObject([{ rid, soundTo }])
  })

  test.each([
    [
      'metadata',
      "UPDATE run_meta SET data = substr(data, 1, length(data) - 1) || x'00' WHERE run_id = RUN",
      'metadata',
    ],
    ['names and notes', "UPDATE about SET document = replace(document, 'noted', 'nothd') WHERE run_id = RUN", 'notes'],
    ['the row of a chain', 'UPDATE chains SET object_end = object_end + 1 WHERE run_id = RUN', 'its row'],
  ])('in the index: %s', async (_, sql, what) => {
    const run = "(SELECT id FROM runs WHERE rid = 'wide')"
    expect(inIndex((database) => database.prepare(sql.replace('RUN', run)).run()).changes).toBe(1)
    const { found } = await inFolder()
    expect(found).toMatchObject([{ tenant: 'lab', rid: 'wide', what: expect.stringContaining(what) }])
  })

  test('a staged object', async () => {
    inIndex((database) =>
      database.exec("UPDATE staged SET data = x'09' || substr(data, 2) WHERE path = 'c/2' AND part = 1"),
    )
    const { found } = await inFolder()
    expect(found).toMatchObject([
      { tenant: 'lab', rid: 'staged', what: expect.stringContaining('part 1 of the staged object "c/2"') },
    ])
  })

  test('a page of the index', async () => {
    const path = join(folder, 'mcbackend.sqlite')
    const page = inIndex(
      (database) =>
        database
          .prepare<[], { rootpage: number }>("SELECT rootpage FROM sqlite_master WHERE name = 'chunks_by_start'")
          .get()?.rootpage ?? 0,
    )
    const bytes = readFileSync(path)
    bytes.fill(0xa5, (page - 1) * 16384, page * 16384)
    writeFileSync(path, bytes)
    const { found } = await inFolder()
    expect(found[0]?.what).toMatch(/the index/)
  })

  test('the journal: draws of a record, and its head', async () => {
    const [path = ''] = journals().filter((name) => placeIn(name, 30_045) > 0)
    const at = placeIn(path, 30_045)
    flip(path, at)
    const draws = await inFolder()
    expect(draws.found).toMatchObject([
      { rid: 'r', from: 30_040, to: 30_050, what: expect.stringContaining('journal') },
    ])
    expect(draws.damagedChains).toMatchObject([{ rid: 'r', soundTo: 30_040, length: 30_050 }])
    flip(path, at)
    flip(path, 70)
    const head = await inFolder()
    expect(head.found[0]?.what).toContain('damaged')
    expect(head.damagedChains).toMatchObject([
      { rid: 'r', soundTo: 30_000 },
      { rid: 'small', soundTo: foldedOf('small') },
    ])
  })

  test('a journal that is missing', async () => {
    for (const path of journals()) rmSync(path)
    const { damagedChains } = await inFolder()
    expect(damagedChains).toMatchObject([
      { rid: 'r', soundTo: 30_000 },
      { rid: 'small', soundTo: foldedOf('small') },
    ])
  })

  test('each file of a backup', async () => {
    const target = join(root, 'damaged-backup')
    const { name } = await backUp({ data: folder, target, keep: 1, version: 'of a test' })
    const files = readdirSync(target, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'backup.lock')
      .map((entry) => join(entry.parentPath, entry.name))
    expect(files.length).toBeGreaterThan(5)
    for (const path of files) {
      const at = Math.floor(readFileSync(path).length / 2)
      flip(path, at)
      const found = await verified((tell) => verifyBackup(target, name, { tell })).then(
        (verdict) => verdict.found.length,
        (error: Error) => expect(error.message).toContain('not what was written'),
      )
      expect({ path, found }).not.toEqual({ path, found: 0 })
      flip(path, at)
    }
    expect(await verified((tell) => verifyBackup(target, name, { tell }))).toMatchObject({ found: [] })
  })
})

test('it says what is wrong with its arguments', async () => {
  const empty = newFolder()
  expect(await runScript('verify', [empty])).toMatchObject({ code: 1, output: expect.stringContaining('is missing') })
  expect(await runScript('verify', [folder, '--at', 'x'])).toMatchObject({
    code: 1,
    output: expect.stringContaining('no backup'),
  })
  expect(await runScript('verify', ['--help'])).toMatchObject({
    code: 0,
    output: expect.stringContaining('usage: npm run verify'),
  })
  removeFolder(empty)
})
