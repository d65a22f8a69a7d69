/** Backups that are made while clients write: each holds all that was acknowledged before it, and copies only what is new. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { type Ended, runScript, startScript } from '../support/scripts.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

const CHAINS = [0, 1, 2, 3]
const SIZE = 16
const VARIABLES = [{ name: 'x', dtype: 'float64', shape: [SIZE] }]

let folder: string
let data: string
let target: string
let servers: ServerProcess[]
beforeEach(() => {
  folder = newFolder()
  data = join(folder, 'data')
  target = join(folder, 'backup')
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  removeFolder(folder)
})

async function start(place: string): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: place })
  servers.push(server)
  return server
}

const backup = (...args: readonly string[]): Promise<Ended> =>
  runScript('backup', [target, ...args], { MCB_DATA_DIR: data })

/** Bytes that a backup says it has copied and kept, in MiB. */
async function figures(...args: readonly string[]): Promise<{ copied: number; kept: number; name: string }> {
  const { code, output } = await backup(...args)
  expect({ code, output }).toMatchObject({ code: 0 })
  const [, name = '', copied, kept] = /: (\S+), ([\d.]+) MiB copied, ([\d.]+) MiB kept/.exec(output) ?? []
  return { name, copied: Number(copied), kept: Number(kept) }
}

async function restored(place: string, ...args: readonly string[]): Promise<ServerProcess> {
  const { code, output } = await runScript('restore', [target, place, ...args])
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('all verified') })
  return start(place)
}

/** Element `k` of draw `i` tells where it belongs. */
const element = (chain: number, i: number, k: number) => chain * 1e8 + i * SIZE + k

function batch(chain: number, start: number, count: number) {
  const values = Float64Array.from({ length: count * SIZE }, (_, j) => element(chain, start, j))
  const x = { dtype: 'float64', shape: [count, SIZE], data: values } as const
  return { start, count, draws: new Map([['x', x]]) }
}

/** The length of a chain, all of whose draws are what was written. */
async function lengthOf(url: string, rid: string, number: number): Promise<number> {
  const run = await new HttpBackend({ url }).getRun(rid)
  const draws = await (await run?.getChain(number))?.getDraws('x')
  if (draws === undefined || !('data' in draws)) throw new Error(`chain ${number} is not in the copy`)
  expect(draws.data.every((value, j) => value === element(number, 0, j))).toBe(true)
  return draws.shape[0] ?? 0
}

async function filled(url: string, rid: string, count: number): Promise<void> {
  const run = await new HttpBackend({ url }).initRun({ rid, variables: VARIABLES })
  const chain = await run.initChain(0)
  for (let start = 0; start < count; start += 5000)
    await chain.appendBatch(batch(0, start, Math.min(5000, count - start)))
}

const objectsIn = (place: string): string[] =>
  readdirSync(join(place, 'objects'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

test('during ingest: what was acknowledged before it began is there, in order, without a hole', async () => {
  const { url } = await start(data)
  const client = new HttpBackend({ url })
  const run = await client.initRun({ rid: 'written', variables: VARIABLES })
  const acknowledged = CHAINS.map(() => 0)
  let over = false
  const writing = CHAINS.map(async (number) => {
    const chain = await run.initChain(number)
    for (let start = 0; !over; ) {
      // Batches of all sizes, so that the journal, folds, chunks and objects are all copied at some point.
      const count = start % 7 === 0 ? 3000 : 1 + ((start * 7) % 900)
      start = await chain.appendBatch(batch(number, start, count))
      acknowledged[number] = start
      if (number > 1) await sleep(5)
    }
  })
  for (let copy = 0; copy < 3; copy++) {
    await sleep(300)
    const before = [...acknowledged]
    await figures()
    const after = [...acknowledged]
    expect(after.reduce((a, b) => a + b)).toBeGreaterThan(before.reduce((a, b) => a + b))
    const server = await restored(join(folder, `restored-${copy}`))
    for (const number of CHAINS) {
      const length = await lengthOf(server.url, 'written', number)
      expect(length).toBeGreaterThanOrEqual(before[number] ?? 0)
      // One batch may have been stored whose answer was still under way.
      expect(length).toBeLessThanOrEqual((after[number] ?? 0) + 3000)
      // It is a storage like any other: writing goes on where it ends.
      const chain = await (await new HttpBackend({ url: server.url }).getRun('written'))?.getChain(number)
      expect(await chain?.appendBatch(batch(number, length, 1))).toBe(length + 1)
    }
    await server.stop()
  }
  const live = await runScript('verify', [data])
  expect(live).toMatchObject({ code: 0, output: expect.stringContaining('a server has') })
  over = true
  await Promise.all(writing)
})

test('it copies only what is new', async () => {
  const { url } = await start(data)
  // 30 MiB.
  await filled(url, 'first', 250_000)
  await sleep(2500)
  const first = await figures()
  expect(first.copied).toBeGreaterThan(30)
  expect(first.kept).toBe(0)
  const again = await figures()
  expect(again).toMatchObject({ copied: 0, kept: first.copied })
  // 4 MiB, and the index.
  await filled(url, 'second', 32_000)
  const more = await figures()
  expect(more.copied).toBeGreaterThan(3.9)
  expect(more.copied).toBeLessThan(6)
  const server = await restored(join(folder, 'restored'))
  expect(await lengthOf(server.url, 'first', 0)).toBe(250_000)
  expect(await lengthOf(server.url, 'second', 0)).toBe(32_000)
  // The copy before is what it was.
  const earlier = await restored(join(folder, 'earlier'), '--at', first.name)
  await expect(lengthOf(earlier.url, 'second', 0)).rejects.toThrow()
  // The oldest go, and with the last that names an object, its file.
  const client = new HttpBackend({ url })
  await client.deleteRun('first')
  await figures('--keep', '2')
  expect(objectsIn(target).length).toBe(2)
  await figures('--keep', '1')
  expect(objectsIn(target).length).toBe(1)
})

test('one that was killed is made good by the next, and leaves the one before as it is', async () => {
  const { url } = await start(data)
  await filled(url, 'first', 60_000)
  const whole = await figures()
  await filled(url, 'second', 250_000)
  const child = startScript('backup', [target], { MCB_DATA_DIR: data })
  const isUnderWay = () => objectsIn(target).length > 1
  while (!isUnderWay() && child.exitCode === null) await sleep(1)
  child.kill('SIGKILL')
  await sleep(100)
  // As if it had been killed just before its end, where it was too fast.
  const names = readdirSync(target).filter((name) => name.startsWith('20'))
  for (const name of names.filter((name) => name !== whole.name))
    rmSync(join(target, name, 'manifest.json'), { force: true })
  const [second = ''] = objectsIn(target).filter((path) => path.includes('2.1'))
  truncateSync(second, Math.floor(statSync(second).size / 2))
  const server = await restored(join(folder, 'restored'))
  expect(await lengthOf(server.url, 'first', 0)).toBe(60_000)
  const next = await figures()
  // Half of it is there already, as its checksums say.
  expect(next.kept).toBeGreaterThan(7)
  const after = await restored(join(folder, 'after'))
  expect(await lengthOf(after.url, 'second', 0)).toBe(250_000)
})

test('a server that was restored goes on in the same backup', async () => {
  const server = await start(data)
  await filled(server.url, 'first', 30_000)
  const first = await figures()
  await filled(server.url, 'second', 30_000)
  const second = await figures()
  await server.stop()
  data = join(folder, 'other')
  const other = await restored(data, '--at', first.name)
  // A chain of the same id and the same object, with other draws.
  const run = await new HttpBackend({ url: other.url }).initRun({ rid: 'third', variables: VARIABLES })
  const chain = await run.initChain(1)
  await chain.appendBatch(batch(1, 0, 40_000))
  const third = await figures()
  for (const [{ name }, rid, number, length] of [
    [second, 'second', 0, 30_000],
    [third, 'third', 1, 40_000],
  ] as const) {
    const { url } = await restored(join(folder, name), '--at', name)
    expect(await lengthOf(url, rid, number)).toBe(length)
    expect(await lengthOf(url, 'first', 0)).toBe(30_000)
  }
})

test('a run that is deleted while it is copied is not in the copy', async () => {
  const { url } = await start(data)
  for (let i = 0; i < 30; i++) await filled(url, `r${i}`, 4000)
  const client = new HttpBackend({ url })
  const copying = backup()
  for (let i = 0; i < 29; i++) {
    await client.deleteRun(`r${i}`)
    await sleep(15)
  }
  expect(await copying).toMatchObject({ code: 0 })
  const server = await restored(join(folder, 'restored'))
  expect(await lengthOf(server.url, 'r29', 0)).toBe(4000)
})

test('objects that go between the index and their copy take their run along, and damage is told', async () => {
  const server = await start(data)
  for (const rid of ['a', 'b', 'c']) await filled(server.url, rid, 4000)
  await server.stop()
  // As a deletion leaves it that is under way, and as a disk might.
  const database = new Database(join(data, 'mcbackend.sqlite'))
  database.exec("UPDATE runs SET deleted = 1, rid = '/' || registration WHERE rid = 'a'")
  database.exec('UPDATE chains SET number = -1 - number WHERE run_id = (SELECT id FROM runs WHERE deleted = 1)')
  database.close()
  const gone = objectsIn(data)
  expect(gone.length).toBe(3)
  for (const path of gone.filter((path) => path.endsWith('1.1') || path.endsWith('2.1'))) rmSync(path)
  const { code, output } = await backup()
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('the object 2.1 is missing') })
  const verified = await runScript('verify', [target])
  expect(verified.code).toBe(1)
  expect(verified.output).toContain('run "b", chain 0: sound up to iteration 0 of 4000')
  expect(verified.output).not.toContain('run "c"')
})

test('a folder of a version before is copied, and restored as it is', async () => {
  mkdirSync(data)
  const migrations = join(folder, 'migrations')
  cpSync(MIGRATIONS, migrations, { recursive: true })
  const journal = join(migrations, 'meta', '_journal.json')
  const { entries, ...more } = JSON.parse(readFileSync(journal, 'utf8'))
  const older = entries.filter(({ tag }: { tag: string }) => tag < '0007')
  writeFileSync(journal, JSON.stringify({ ...more, entries: older }))
  new FileDriver({ path: join(data, 'mcbackend.sqlite'), migrations }).close()
  await figures()
  expect(await runScript('verify', [target])).toMatchObject({
    code: 1,
    output: expect.stringContaining('version before'),
  })
  const place = join(folder, 'restored')
  const { code, output } = await runScript('restore', [target, place])
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('version before') })
  const { api } = await start(place)
  expect((await api.get('/v1/runs')).status).toBe(200)
})

test('it says what is wrong with its arguments, and touches nothing', async () => {
  const said = async (args: readonly string[], env = data) => {
    const { code, output } = await runScript('backup', args, { MCB_DATA_DIR: env })
    expect(code).toBe(1)
    return output
  }
  expect(await said([target], join(folder, 'nothing'))).toContain('MCB_DATA_DIR')
  const server = await start(data)
  const file = join(folder, 'copy.sqlite')
  expect(await said([file])).toContain('a backup is a folder now')
  writeFileSync(file, 'precious')
  expect(await said([file])).toContain('is a file')
  expect(readFileSync(file, 'utf8')).toBe('precious')
  expect(await said([data])).toContain('in the folder of the data')
  expect(await said([join(data, 'backup')])).toContain('in the folder of the data')
  expect(await said([join(folder, 'no', 'such')])).toContain('no such file')
  expect(await said([target, '--keep', '0'])).toContain('whole number')
  await server.stop()
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  writeFileSync(join(empty, 'mcbackend.sqlite'), '')
  expect(await said([target], empty)).toContain('is empty')
  expect(existsSync(target)).toBe(false)
  const help = await runScript('backup', ['--help'])
  expect(help).toMatchObject({ code: 0, output: expect.stringContaining('usage: npm run backup') })
})

test('a restore refuses what is not empty, and what differs from its checksums', async () => {
  const server = await start(data)
  await filled(server.url, 'first', 30_000)
  await server.stop()
  await figures()
  expect(await runScript('restore', [target, data])).toMatchObject({
    code: 1,
    output: expect.stringContaining('is not empty'),
  })
  expect(await runScript('restore', [join(folder, 'none'), data])).toMatchObject({ code: 1 })
  const [object = ''] = objectsIn(target)
  const bytes = readFileSync(object)
  bytes[1000] = (bytes[1000] ?? 0) ^ 4
  writeFileSync(object, bytes)
  const { code, output } = await runScript('restore', [target, join(folder, 'restored')])
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('checksum differs') })
  // No server takes what is there for a storage.
  await expect(start(join(folder, 'restored'))).rejects.toThrow(/there was a database/)
})
