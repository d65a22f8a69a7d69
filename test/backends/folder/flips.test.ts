/** One bit of a folder is another one: what is read is right or an error, and so it stays when the chains are written on. */
import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Folder } from '../../../src/backends/folder/folder.ts'
import { FolderStore } from '../../../src/backends/folder/folder-store.ts'
import { SqlIndex } from '../../../src/backends/folder/sql-index.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Read, ReadCursor, Store } from '../../../src/core/store.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import { damageIn } from '../../../src/node/storage-thread/inspection.ts'
import { FileObjects } from '../../../src/objects/file-objects.ts'
import { nodeDisk } from '../../../src/objects/node-disk.ts'
import { FileDriver } from '../../../src/sql/file.ts'
import { Random } from '../../disk/random.ts'
import { seedsOf } from '../../disk/seeds.ts'
import { runMeta } from '../../http/api.ts'
import { smallJournal } from '../../journal/support/records.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../../support/storage.ts'
import { bodyOf, columnsOf } from './content.ts'

/** Flips of one run; `MCB_SCHEDULES=1000` tries more. */
const FLIPS = 100
const WIDTHS = { large: 300, small: 1, other: 40 }
const CHAINS = [0, 1]
const COUNT = 140

interface Opened {
  readonly store: Store
  /** Sentences for the log. */
  readonly told: string[]
  close(): Promise<void>
}

async function open(folder: string): Promise<Opened> {
  const path = join(folder, 'mcbackend.sqlite')
  const driver = new FileDriver({ path, migrations: MIGRATIONS })
  const index = new SqlIndex({ driver, disk: nodeDisk, folder, limits: DEFAULT_LIMITS })
  const objects = new FileObjects(nodeDisk, join(folder, 'objects'))
  const told: string[] = []
  const close = async () => {
    await index.close()
    objects.close()
    driver.close()
  }
  try {
    await index.completeDeletions()
    const notice = (sentence: string) => void told.push(sentence)
    const options = {
      index,
      objects,
      disk: nodeDisk,
      folder,
      limits: DEFAULT_LIMITS,
      notice,
      journalSize: smallJournal(64 * 1024),
    }
    const opened = await Folder.open(options)
    return {
      store: new FolderStore(opened, 'local'),
      told,
      close: async () => {
        await opened.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

const schemaOf = (rid: string) => acceptRunMeta(runMeta(columnsOf(widthOf(rid))), rid, DEFAULT_LIMITS)

function widthOf(rid: string): number {
  const width = Object.entries(WIDTHS).find(([name]) => name === rid)?.[1]
  if (width === undefined) throw new Error(`no run "${rid}"`)
  return width
}

/** The batch of a chain from `start` on; each batch of a chain is of an origin of its own. */
function batchOf(rid: string, chain: number, start: number, count: number): Uint8Array<ArrayBuffer> {
  const origin = widthOf(rid) * 1000 + chain * 100 + start + 1
  return bodyOf(schemaOf(rid).schema, start, new Array<number>(count).fill(origin))
}

async function fill(store: Store): Promise<void> {
  for (const rid of Object.keys(WIDTHS)) {
    const { schema, bytes } = schemaOf(rid)
    const registration = { rid, meta: bytes, variables: schema.columns.length - 1, sampleStats: 1, terms: [] }
    const made = await store.register(registration)
    for (const chain of CHAINS) {
      await store.createChain(made.registration, chain)
      const append = (start: number, count: number) =>
        store.append(made.registration, chain, batchOf(rid, chain, start, count))
      for (let start = 0; start < 10; start++) await append(start, 1)
      if (rid === 'large') {
        await append(10, COUNT)
        await append(10 + COUNT, COUNT)
        await append(10 + 2 * COUNT, 3)
      }
    }
  }
}

/** The digest of each thing in the folder, by its name; the reason where it cannot be read. */
async function look(store: Store): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const note = async (name: string, work: () => Promise<string | undefined>) => {
    found.set(name, await work().then((value) => value ?? MISSING, failed))
  }
  for (const rid of Object.keys(WIDTHS)) {
    let registration = ''
    await note(`run ${rid}`, async () => {
      const run = await store.find(rid)
      registration = run?.registration ?? ''
      return run && `${run.registration} ${digest(run.meta)}`
    })
    for (const chain of CHAINS) {
      // Nobody comes to a chain but through its run, and whoever asks for that is told.
      const told = found.get(`run ${rid}`)
      if (told?.startsWith(ERROR)) {
        for (const each of ['length', 'draws']) found.set(nameOf(each, rid, chain), told)
        continue
      }
      await note(nameOf('length', rid, chain), async () => {
        const chains = await store.chains(registration)
        if (chains.some((state) => !CHAINS.includes(state.chain))) throw new Wrong(`${rid} has another chain`)
        return chains.find((state) => state.chain === chain)?.length.toString()
      })
      await note(nameOf('draws', rid, chain), () => drawsOf(store, registration, chain))
    }
  }
  return found
}

const MISSING = 'missing'
const ERROR = 'error'

class Wrong extends Error {}

function nameOf(what: string, rid: string, chain: number): string {
  return `${what} of ${rid} ${chain}`
}

function failed(error: unknown): string {
  if (error instanceof Wrong) throw error
  return /not_found|deleted|no chain/.test(String(error)) ? MISSING : `${ERROR}: ${error}`
}

function digest(...pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('base64')
}

async function drawsOf(store: Store, registration: string, chain: number): Promise<string> {
  const columns = [0, 1, 2, 3, 4]
  const pieces: Uint8Array[][] = columns.map(() => [])
  let cursor: ReadCursor | undefined
  let length = 0
  do {
    const read: Read = await store.read(registration, chain, { columns, slice: {} }, cursor)
    length = read.state.length
    for (const { position, count, data } of read.page.stretches) {
      pieces[position]?.push(data ?? new TextEncoder().encode(`absent ${count}`))
    }
    cursor = read.page.next
  } while (cursor !== undefined)
  return `${length} ${pieces.map((own) => digest(...own)).join()}`
}

/** Appends to each chain what lets it be folded, as far as it can be; resolves to the chains that took it. */
async function goOn(store: Store): Promise<Set<string>> {
  const taken = new Set<string>()
  for (const rid of Object.keys(WIDTHS)) {
    const run = await store.find(rid).catch(() => undefined)
    if (run === undefined) continue
    for (const chain of CHAINS) {
      const start = rid === 'large' ? 13 + 2 * COUNT : 10
      const count = Math.ceil(300_000 / (8 * widthOf(rid) + 20))
      const length = await store
        .append(run.registration, chain, batchOf(rid, chain, start, count))
        .catch(() => undefined)
      if (length !== undefined) taken.add(`${rid} ${chain}`)
    }
  }
  return taken
}

let base: string
let before: Map<string, string>
let behind: Map<string, string>

beforeAll(async () => {
  base = newFolder()
  const first = await open(base)
  await fill(first.store)
  before = await look(first.store)
  await first.close()
  const copy = newFolder()
  cpSync(base, copy, { recursive: true })
  const second = await open(copy)
  await goOn(second.store)
  behind = await look(second.store)
  await second.close()
  removeFolder(copy)
  for (const found of [before, behind]) for (const value of found.values()) expect(value).not.toMatch(/missing|error/)
})
afterAll(() => removeFolder(base))

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0)
    .sort()
}

/** Flips a bit, mostly one of a byte that is not 0: much of a page is free. */
function flip(random: Random, folder: string): string {
  const files = filesIn(folder)
  const isDatabase = random.chance(0.6)
  const path = random.pick(files.filter((file) => file.endsWith('.sqlite') === isDatabase))
  const bytes = readFileSync(path)
  let at = random.below(bytes.length)
  if (random.chance(0.8)) while (bytes[at] === 0) at = (at + 1) % bytes.length
  const bit = random.below(8)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  writeFileSync(path, bytes)
  return `${path.slice(folder.length)} byte ${at} bit ${bit}`
}

/** The digests when some chains took what was appended, and the others are as they were. */
function after(taken: ReadonlySet<string>): Map<string, string> {
  const isAsBefore = (name: string) => !name.startsWith('run ') && !taken.has(name.split(' ').slice(2).join(' '))
  return new Map([...behind].map(([name, value]) => [name, isAsBefore(name) ? (before.get(name) ?? value) : value]))
}

type Verdict = 'without effect' | 'an error' | 'refused to start' | 'missing, and told'

/** @throws Error where something is wrong, or missing without a word */
function judge(found: Map<string, string>, expected: Map<string, string>, told: readonly string[]): Verdict {
  let verdict: Verdict = 'without effect'
  for (const [name, value] of found) {
    if (value === expected.get(name)) continue
    if (value.startsWith('error:')) verdict = 'an error'
    else if (value === MISSING && told.length > 0) verdict = 'missing, and told'
    else throw new Error(`${name} is ${value}, and was ${expected.get(name)}`)
  }
  return verdict
}

function toldOf(folder: string): string[] {
  const database = new Database(join(folder, 'mcbackend.sqlite'), { readonly: true })
  try {
    return damageIn(database)
  } finally {
    database.close()
  }
}

async function trial(folder: string): Promise<Verdict> {
  let told: string[] = []
  try {
    told = toldOf(folder)
  } catch (error) {
    told.push(String(error))
  }
  let opened: Opened
  try {
    opened = await open(folder)
  } catch {
    return 'refused to start'
  }
  let verdict: Verdict
  try {
    verdict = judge(await look(opened.store), before, [...told, ...opened.told])
    const taken = await goOn(opened.store)
    const later = judge(await look(opened.store), after(taken), [...told, ...opened.told])
    if (verdict === 'without effect') verdict = later
  } finally {
    await opened.close().catch(() => undefined)
  }
  return verdict
}

test('no flipped bit makes a wrong number, or a draw vanish without a word', { timeout: 300_000 }, async () => {
  const verdicts = new Map<Verdict, number>()
  const wrong: string[] = []
  const seeds = seedsOf(FLIPS)
  for (const seed of seeds) {
    const folder = newFolder()
    cpSync(base, folder, { recursive: true })
    const where = flip(new Random(seed), folder)
    try {
      const verdict = await trial(folder)
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    } catch (error) {
      wrong.push(`seed ${seed}, ${where}: ${error instanceof Error ? error.message : error}`)
    }
    removeFolder(folder)
  }
  expect(wrong).toEqual([])
  const all: Verdict[] = ['an error', 'refused to start', 'without effect']
  if (seeds.length >= FLIPS) expect([...verdicts.keys()]).toEqual(expect.arrayContaining(all))
})
