/** Folding in the background on a real folder: when a tail is folded, part by part, and what is told and read at each step. */
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Folder } from '../../../src/backends/folder/folder.ts'
import { FolderStore } from '../../../src/backends/folder/folder-store.ts'
import type { FoldSize, Head } from '../../../src/backends/folder/head.ts'
import type { FoldJob, FoldOutcome } from '../../../src/backends/folder/index-calls.ts'
import { SqlIndex } from '../../../src/backends/folder/sql-index.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { turn } from '../../../src/core/turn.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import type { JournalSize } from '../../../src/journal/journal.ts'
import type { Disk } from '../../../src/objects/disk.ts'
import { FileObjects } from '../../../src/objects/file-objects.ts'
import { nodeDisk } from '../../../src/objects/node-disk.ts'
import { FileDriver } from '../../../src/sql/file.ts'
import { numberIn, type Program, type Row } from '../../../src/sql/program.ts'
import { runMeta } from '../../http/api.ts'
import { smallJournal } from '../../journal/support/records.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../../support/storage.ts'
import { bodyOf, columnsOf } from './content.ts'
import { RunModel } from './model.ts'
import { readAndCompare } from './reading.ts'

/** Numbers of a draw in a run of large draws, of which 100 are a tail that is due, and in one of small draws. */
const LARGE = 2000
const SMALL = 1
/** Draws of one batch that goes to objects at once. */
const AT_ONCE = 20
/** Milliseconds of the disk's own time after which what was waited for does not come. */
const MOST_MS = 10_000

/** An index whose folds may be held up: before they are done, or when they are and nobody knows. */
class HeldIndex extends SqlIndex {
  readonly folds: (readonly FoldJob[])[] = []
  before: () => Promise<void> = async () => {}
  after: () => Promise<void> = async () => {}

  override async fold(jobs: readonly FoldJob[]): Promise<FoldOutcome[]> {
    await this.before()
    const outcomes = await super.fold(jobs)
    this.folds.push(jobs)
    await this.after()
    return outcomes
  }
}

/** True while writes to the journal fail, all of whose bytes are on the disk. */
let isFailing = false

const DISK: Disk = {
  ...nodeDisk,
  async open(path, access) {
    const file = await nodeDisk.open(path, access)
    const write = file.write.bind(file)
    file.write = async (pieces, place) => {
      const taken = await write(pieces, place)
      if (isFailing && path.includes('journal')) throw new Error('EIO')
      return taken
    }
    return file
  },
}

interface Sizes {
  readonly journalSize?: JournalSize
  readonly foldSize?: FoldSize
}

class Server {
  readonly told: string[] = []
  readonly driver: FileDriver
  readonly index: HeldIndex
  readonly objects: FileObjects
  private opened: Folder | undefined
  private tenant: FolderStore | undefined

  private constructor(folder: string) {
    this.driver = new FileDriver({ path: join(folder, 'mcbackend.sqlite'), migrations: MIGRATIONS })
    this.index = new HeldIndex({ driver: this.driver, disk: nodeDisk, folder, limits: DEFAULT_LIMITS })
    this.objects = new FileObjects(nodeDisk, join(folder, 'objects'))
  }

  static async start(at: string, sizes: Sizes = {}): Promise<Server> {
    const server = new Server(at)
    const { index, objects } = server
    const notice = (sentence: string) => void server.told.push(sentence)
    const options = { index, objects, disk: DISK, folder: at, limits: DEFAULT_LIMITS, notice, ...sizes }
    server.opened = await Folder.open(options)
    server.tenant = new FolderStore(server.folder, 'local')
    return server
  }

  get folder(): Folder {
    if (this.opened === undefined) throw new Error('the server has not started')
    return this.opened
  }

  get store(): FolderStore {
    if (this.tenant === undefined) throw new Error('the server has not started')
    return this.tenant
  }

  async close(): Promise<void> {
    await this.folder.close()
    await this.index.close()
    this.objects.close()
    this.driver.close()
  }

  /** The row of a chain. */
  async row(run: RunModel, chain: number): Promise<Row> {
    const { id } = this.head(run, chain)
    const [row] = await this.ask('SELECT folded, length, bytes, tail_bytes FROM chains WHERE id = ?', [id])
    if (row === undefined) throw new Error('the chain has no row')
    return row
  }

  async folded(run: RunModel, chain: number): Promise<number> {
    return numberIn(await this.row(run, chain), 'folded')
  }

  head(run: RunModel, chain: number): Head {
    const head = this.folder.headHere({ tenant: 'local', registration: run.registration ?? '', chain })
    if (head === undefined) throw new Error('the chain has no head')
    return head
  }

  ask(sql: string, params: readonly number[]): Promise<readonly Row[]> {
    return this.driver.run(function* (): Program<readonly Row[]> {
      const [rows = []] = yield { reads: [{ sql, params: [...params] }] }
      return rows
    })
  }

  change(sql: string, params: readonly number[]): Promise<void> {
    return this.driver.run(function* (): Program<void> {
      yield { writes: [{ sql, params: [...params] }] }
    })
  }
}

setFlagsFromString('--expose_gc')
const collect: () => void = runInNewContext('gc')

let at: string
let server: Server
let origins = 0
beforeEach(() => {
  // Time goes by when a test says so; disks have their own.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  at = newFolder()
})
afterEach(async () => {
  server.index.before = async () => {}
  let isClosed = false
  void server.close().finally(() => {
    isClosed = true
  })
  await until(() => isClosed)
  vi.useRealTimers()
  removeFolder(at)
})

async function newRun(rid: string, width: number, chains: number): Promise<RunModel> {
  const { schema, bytes } = acceptRunMeta(runMeta(columnsOf(width)), rid, DEFAULT_LIMITS)
  const run = new RunModel(rid, schema, bytes)
  const { length } = schema.columns
  const registration = { rid, meta: bytes, variables: length - 1, sampleStats: 1, terms: [] }
  run.registration = (await server.store.register(registration)).registration
  for (let chain = 0; chain < chains; chain++) {
    await server.store.createChain(run.registration, chain)
    run.chainOf(chain)
  }
  return run
}

/** Appends a batch, which must succeed. */
async function append(run: RunModel, chain: number, count = 1): Promise<void> {
  const model = run.chainOf(chain)
  const attempt = { start: model.most, origins: new Array<number>(count).fill(++origins) }
  model.send(attempt)
  const body = bodyOf(run.schema, attempt.start, attempt.origins)
  try {
    model.acknowledge(attempt, await server.store.append(run.registration ?? '', chain, body))
  } catch (error) {
    model.refused(attempt)
    throw error
  }
}

/** Appends many batches of one draw. */
async function appendMany(run: RunModel, chain: number, batches: number): Promise<void> {
  await Promise.all(Array.from({ length: batches }, () => append(run, chain)))
}

/** Reads all draws, each of which must be what was appended. */
async function verify(run: RunModel, chain: number): Promise<void> {
  const columns = [...run.schema.columns.keys()].slice(1)
  expect(await readAndCompare(server.store, run, chain, {}, columns)).toBe(run.chainOf(chain).length)
}

/** Lets time go by, in steps between which all that is under way may go on. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    vi.advanceTimersByTime(10)
    for (let i = 0; i < 20; i++) await turn()
  }
}

/** Lets time go by until something is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const begun = Date.now()
  for (let turns = 0; !(await isSo()); turns++) {
    if (Date.now() > begun + MOST_MS) throw new Error('it does not come')
    if (turns % 20 === 0) vi.advanceTimersByTime(10)
    await turn()
  }
}

/** The rows of all chains hold what their heads do, once usage was asked for. */
async function verifyUsage(...chains: (readonly [RunModel, number])[]): Promise<void> {
  await server.store.usage()
  for (const [run, chain] of chains) {
    const { bytes, tailBytes, length } = server.head(run, chain)
    const row = await server.row(run, chain)
    expect([row.bytes, row.tail_bytes, row.length]).toEqual([bytes, tailBytes, length])
  }
}

test('a tail that is due waits until no append comes, and is folded then', async () => {
  server = await Server.start(at)
  const run = await newRun('a', LARGE, 2)
  for (let i = 0; i < 100; i++) await append(run, 0)
  expect(server.head(run, 0).isDue).toBe(true)
  for (let i = 0; i < 20; i++) {
    await append(run, 1)
    await pass(40)
  }
  expect(server.index.folds).toEqual([])
  await until(() => !server.head(run, 0).hasTail)
  expect(await server.folded(run, 0)).toBe(100)
  // The other one is not due.
  expect(await server.folded(run, 1)).toBe(0)
  await verifyUsage([run, 0], [run, 1])
  await verify(run, 0)
  await verify(run, 1)
})

test('a long tail is folded part by part, and all that is told and read is right at each step', async () => {
  const sizes = { foldSize: { rows: 100, bytes: 1024 * 1024 } }
  server = await Server.start(at, sizes)
  const run = await newRun('a', SMALL, 1)
  await appendMany(run, 0, 1500)
  const waiting: (() => void)[] = []
  server.index.before = () => new Promise((resolve) => void waiting.push(resolve))
  const next = async () => {
    await until(() => waiting.length > 0)
    waiting.pop()?.()
  }
  for (const folded of [100, 200, 300, 400]) {
    await next()
    await until(() => server.head(run, 0).folded === folded)
    await verifyUsage([run, 0])
    await verify(run, 0)
    expect((await server.store.list({ limit: 10, terms: [] })).runs[0]?.draws).toBe(1500)
    expect(await server.store.chain(run.registration ?? '', 0)).toMatchObject({ length: 1500 })
  }
  // A server that is killed now leaves what the next one finds.
  const copy = newFolder()
  cpSync(at, copy, { recursive: true })
  server.index.before = async () => {}
  await next()
  await until(() => server.head(run, 0).folded === 500)
  await pass(200)
  // Fewer than are due are left.
  expect(await server.folded(run, 0)).toBe(500)
  await server.close()
  removeFolder(at)
  at = copy
  server = await Server.start(at, sizes)
  await verify(run, 0)
  await verifyUsage([run, 0])
  expect(await server.folded(run, 0)).toBe(400)
  await until(() => server.head(run, 0).folded === 500)
  await append(run, 0, 3)
  await verify(run, 0)
})

test('a large batch goes behind a tail of many parts', async () => {
  server = await Server.start(at, { foldSize: { rows: 7, bytes: 1024 * 1024 } })
  const run = await newRun('a', LARGE, 2)
  for (let i = 0; i < 50; i++) await append(run, 0)
  const [large] = await Promise.all([append(run, 0, AT_ONCE), appendMany(run, 1, 20)])
  expect(large).toBeUndefined()
  expect(await server.folded(run, 0)).toBe(50 + AT_ONCE)
  await append(run, 0)
  await verifyUsage([run, 0], [run, 1])
  await verify(run, 0)
  await verify(run, 1)
})

test('a large batch behind a tail that cannot be folded is refused, and the tail stays', async () => {
  server = await Server.start(at, { foldSize: { rows: 7, bytes: 1024 * 1024 } })
  const run = await newRun('a', LARGE, 1)
  for (let i = 0; i < 20; i++) await append(run, 0)
  server.index.before = async () => {
    throw new Error('no')
  }
  await expect(append(run, 0, AT_ONCE)).rejects.toMatchObject({ code: 'storage_unavailable' })
  await verify(run, 0)
  server.index.before = async () => {}
  await append(run, 0, AT_ONCE)
  await verify(run, 0)
})

test('a large batch takes the place of small ones that were refused', async () => {
  server = await Server.start(at)
  const run = await newRun('a', LARGE, 1)
  await append(run, 0)
  isFailing = true
  const refused = await Promise.allSettled([append(run, 0, 12), append(run, 0, 12), append(run, 0, 12)])
  expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await expect(append(run, 0, AT_ONCE)).rejects.toMatchObject({ code: 'storage_unavailable' })
  isFailing = false
  await append(run, 0, AT_ONCE)
  await server.close()
  server = await Server.start(at)
  await verify(run, 0)
  await append(run, 0)
  await verify(run, 0)
})

test('a journal that is long is emptied while appends go on', async () => {
  server = await Server.start(at, { journalSize: smallJournal(64 * 1024) })
  const run = await newRun('a', 40, 4)
  for (let i = 0; i < 1200; i++) {
    await append(run, i % 4)
    if (i % 10 === 0) await pass(10)
  }
  // In use, to be written again, and as many that a replay would still look for.
  expect(readdirSync(join(at, 'journal')).length).toBeLessThanOrEqual(8)
  for (let chain = 0; chain < 4; chain++) {
    expect(await server.folded(run, chain)).toBeGreaterThan(100)
    await verify(run, chain)
  }
})

/** Lets the folds of a chain fail as long as its row is damaged. */
async function damaged(run: RunModel, chain: number): Promise<() => Promise<void>> {
  const { id } = server.head(run, chain)
  await server.change('UPDATE chains SET sum = sum + 1 WHERE id = ?', [id])
  return () => server.change('UPDATE chains SET sum = sum - 1 WHERE id = ?', [id])
}

test('a chain that cannot be folded does not keep others from it, and recovers', async () => {
  server = await Server.start(at)
  const run = await newRun('a', LARGE, 2)
  for (let i = 0; i < 100; i++) await append(run, 0)
  const mend = await damaged(run, 0)
  await until(() => server.told.length > 0)
  for (let i = 0; i < 100; i++) await append(run, 1)
  await until(() => server.head(run, 1).folded === 100)
  expect(server.told).toHaveLength(1)
  await mend()
  await until(() => server.told.length > 1)
  expect(await server.folded(run, 0)).toBe(100)
  expect(server.told).toEqual([expect.stringContaining('cannot be folded'), 'the journal is folded again'])
  await verify(run, 0)
  await verify(run, 1)
})

test('usage that is asked for while a fold ends does not count the tail twice', async () => {
  server = await Server.start(at)
  const run = await newRun('a', LARGE, 1)
  for (let i = 0; i < 100; i++) await append(run, 0)
  const done = Promise.withResolvers<void>()
  server.index.after = () => done.promise
  await until(() => server.index.folds.length > 0)
  // The index has folded, and nobody knows of it.
  await server.store.usage()
  done.resolve()
  await until(() => !server.head(run, 0).hasTail)
  await verifyUsage([run, 0])
})

test('a run that is deleted leaves nothing to be folded', async () => {
  server = await Server.start(at)
  const other = await newRun('b', SMALL, 1)
  const run = await newRun('a', LARGE, 1)
  for (let i = 0; i < 100; i++) await append(run, 0)
  const held = Promise.withResolvers<void>()
  server.index.before = () => held.promise
  await pass(100)
  const removed = server.store.remove('a')
  await turn()
  held.resolve()
  expect(await removed).toBe(true)
  await pass(2000)
  expect(server.told).toEqual([])
  await append(other, 0)
  await verify(other, 0)
})

test('a run that is deleted while appends go on leaves nothing in memory', async () => {
  server = await Server.start(at)
  const other = await newRun('b', SMALL, 1)
  const head = await (async () => {
    const run = await newRun('a', LARGE, 1)
    for (let i = 0; i < 100; i++) await append(run, 0)
    return new WeakRef(server.head(run, 0))
  })()
  await append(other, 0)
  await server.store.remove('a')
  for (let i = 0; i < 10; i++) {
    await append(other, 0)
    await pass(40)
  }
  expect(server.index.folds).toEqual([])
  collect()
  expect(head.deref()).toBeUndefined()
})

test('the end waits for a fold at work, and for none that waits', async () => {
  server = await Server.start(at, { foldSize: { rows: 10, bytes: 1024 * 1024 } })
  const run = await newRun('a', LARGE, 1)
  for (let i = 0; i < 100; i++) await append(run, 0)
  const held = Promise.withResolvers<void>()
  server.index.before = () => held.promise
  await pass(100)
  let isClosed = false
  const appends = Array.from({ length: 5 }, () => append(run, 0).catch(() => undefined))
  const closed = server.close().then(() => {
    isClosed = true
  })
  await pass(100)
  expect(isClosed).toBe(false)
  held.resolve()
  await Promise.all([closed, ...appends])
  expect(server.index.folds).toHaveLength(1)
  server = await Server.start(at)
  await verify(run, 0)
  await until(() => !server.head(run, 0).hasTail)
  await verify(run, 0)
})

test('chains that a start finds are folded without anybody asking for them', async () => {
  server = await Server.start(at)
  const run = await newRun('a', LARGE, 2)
  for (let i = 0; i < 100; i++) for (const chain of [0, 1]) await append(run, chain)
  await server.close()
  server = await Server.start(at, { foldSize: { rows: 40, bytes: 1024 * 1024 } })
  expect(await server.store.chains(run.registration ?? '')).toMatchObject([{ length: 100 }, { length: 100 }])
  await until(() => !server.head(run, 0).isDue && !server.head(run, 1).isDue)
  await verifyUsage([run, 0], [run, 1])
  await verify(run, 0)
  await append(run, 1)
  await verify(run, 1)
})
