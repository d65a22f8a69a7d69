/** Bytes of objects that nothing names give their disk back, and nothing else is touched. */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { foldChain } from '../../../src/backends/folder/fold-chain.ts'
import { SqlIndex } from '../../../src/backends/folder/sql-index.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import { FileObjects } from '../../../src/objects/file-objects.ts'
import { nodeDisk } from '../../../src/objects/node-disk.ts'
import { FileDriver } from '../../../src/sql/file.ts'
import { runMeta } from '../../http/api.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../../support/storage.ts'

const COUNT = 40_000
const BYTES = COUNT * 8

/** Throws where a server is killed between the put and the commit that names it. */
class KilledObjects extends FileObjects {
  override async put(...args: Parameters<FileObjects['put']>): Promise<void> {
    await super.put(...args)
    throw new Error('killed')
  }
}

let folder: string
let driver: FileDriver
let index: SqlIndex
beforeEach(() => {
  folder = newFolder()
  driver = new FileDriver({ path: join(folder, 'mcbackend.sqlite'), migrations: MIGRATIONS })
  index = new SqlIndex({ driver, disk: nodeDisk, folder, limits: DEFAULT_LIMITS })
})
afterEach(async () => {
  await index.close()
  driver.close()
  removeFolder(folder)
})

const { schema, bytes: meta } = acceptRunMeta(
  runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [] }], sampleStats: [] }),
  'r',
  DEFAULT_LIMITS,
)

async function newChain(): Promise<number> {
  const store = index.openStore('local')
  const run = { rid: 'r', meta, variables: 1, sampleStats: 0, terms: [] }
  const { registration } = await store.register(run)
  await store.createChain(registration, 0)
  const { id: runId } = await index.run('local', registration)
  return (await index.chain({ tenant: 'local', registration, runId }, 0))?.id ?? 0
}

function fold(id: number, start: number, objects: FileObjects): Promise<unknown> {
  const blocks = [{ start, count: COUNT, data: new Uint8Array(BYTES).fill(start / COUNT + 1) }]
  return foldChain(driver, objects, { id, folded: start, schema, blocks, end: start + COUNT, now: 1 }).finally(() =>
    objects.close(),
  )
}

const whole = () => new FileObjects(nodeDisk, join(folder, 'objects'))
const killed = () => new KilledObjects(nodeDisk, join(folder, 'objects'))

function pathOf(key: string): string {
  const [found] = readdirSync(join(folder, 'objects'))
    .map((name) => join(folder, 'objects', name, key))
    .filter((path) => existsSync(path))
  if (found === undefined) throw new Error(`no object ${key}`)
  return found
}

async function swept(): Promise<string[]> {
  const told: string[] = []
  await index.sweep((sentence) => told.push(sentence))
  return told
}

function change(sql: string, ...params: readonly unknown[]): void {
  const database = new Database(join(folder, 'mcbackend.sqlite'))
  database.prepare(sql).run(...params)
  database.close()
}

test('what a put that was cut off has left behind the end of an object goes', async () => {
  const id = await newChain()
  await fold(id, 0, whole())
  const path = pathOf(`${id}.1`)
  const before = readFileSync(path)
  await expect(fold(id, COUNT, killed())).rejects.toThrow('killed')
  expect(statSync(path).size).toBe(2 * BYTES)
  expect(await swept()).toEqual([expect.stringContaining(`${BYTES} bytes are free again`)])
  expect(readFileSync(path)).toEqual(before)
  expect(await swept()).toEqual([])
  await fold(id, COUNT, whole())
  expect(statSync(path).size).toBe(2 * BYTES)
})

test('an object that nothing names goes: the first of a chain, the next one, and those of chains that are gone', async () => {
  const id = await newChain()
  await expect(fold(id, 0, killed())).rejects.toThrow('killed')
  const path = pathOf(`${id}.1`)
  expect(await swept()).toHaveLength(1)
  expect(existsSync(path)).toBe(false)
  await fold(id, 0, whole())
  writeFileSync(join(dirname(path), `${id}.2`), 'next')
  expect(await swept()).toHaveLength(1)
  expect(existsSync(`${dirname(path)}/${id}.2`)).toBe(false)
  expect(existsSync(path)).toBe(true)
  const { run } = await index.hide('local', 'r')
  const kept = readFileSync(path)
  await index.purge({ run, stage: undefined })
  expect(existsSync(path)).toBe(false)
  writeFileSync(path, kept)
  expect(await swept()).toEqual([expect.stringContaining('swept 1 objects')])
  expect(existsSync(path)).toBe(false)
})

test('nothing is touched where index and disk disagree in any other way, and that is told', async () => {
  const id = await newChain()
  await fold(id, 0, whole())
  const path = pathOf(`${id}.1`)
  writeFileSync(join(dirname(path), '257.1'), 'of a later index')
  change('UPDATE chains SET object_end = object_end - 8')
  expect(await swept()).toEqual(
    expect.arrayContaining([expect.stringContaining('never gave'), expect.stringContaining('is damaged')]),
  )
  expect(statSync(path).size).toBe(BYTES)
  expect(existsSync(join(dirname(path), '257.1'))).toBe(true)
  change('UPDATE chains SET object_end = object_end + 8')
  truncateSync(path, BYTES - 1)
  expect(await swept()).toContainEqual(expect.stringContaining('draws are missing'))
  expect(statSync(path).size).toBe(BYTES - 1)
})
