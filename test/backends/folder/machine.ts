/** A machine in a test: a disk that fails, a database, and one life of the server after another on them. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, vi } from 'vitest'
import { Folder } from '../../../src/backends/folder/folder.ts'
import { FolderStore } from '../../../src/backends/folder/folder-store.ts'
import { SqlIndex } from '../../../src/backends/folder/sql-index.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Store } from '../../../src/core/store.ts'
import { FileObjects } from '../../../src/objects/file-objects.ts'
import { FileDriver } from '../../../src/sql/file.ts'
import { type Program, textIn } from '../../../src/sql/program.ts'
import { FaultyDisk } from '../../disk/faulty-disk.ts'
import type { Random } from '../../disk/random.ts'
import { smallJournal } from '../../journal/support/records.ts'
import { FaultyDriver } from './faulty-driver.ts'

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url))
const FOLDER = '/data'
const JOURNAL = smallJournal(64 * 1024)
/** So few that tails are folded part by part. */
const FOLD = { rows: 5, bytes: 48 * 1024 }
/** Turns of the event loop between two of the clock, and the milliseconds that it goes on by then. */
const TURNS = 40
const TICK_MS = 250

/** One database for all machines, which leave it empty: to make tables costs as much as all that is done with them. */
const database = new FileDriver({ path: ':memory:', migrations: MIGRATIONS })

function* emptied(): Program<void> {
  const sql =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 2) <> '__'"
  const [tables = []] = yield { reads: [{ sql, params: [] }] }
  yield { writes: tables.map((table) => ({ sql: `DELETE FROM "${textIn(table, 'name')}"`, params: [] })) }
}

/** Timers of servers go by with turns of the event loop in the tests of a file, so that a seed tells all that happens. */
export function serverTime(): void {
  const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] as const
  beforeAll(() => void vi.useFakeTimers({ toFake: [...toFake] }))
  afterAll(() => void vi.useRealTimers())
}

/** Turns after which a machine stands still: some wait for what never comes. */
const MOST_TURNS = 500_000

/** One life of the server. */
interface Life {
  readonly index: SqlIndex
  readonly objects: FileObjects
  readonly folder: Folder
}

export class Machine {
  disk: FaultyDisk
  private driver: FaultyDriver
  private life: Life | undefined
  private readonly random: Random
  private isTicking = false
  private readonly still = Promise.withResolvers<never>()

  constructor(random: Random, trace: (line: string) => void) {
    this.random = random
    this.disk = new FaultyDisk({ seed: random.next(), folders: [FOLDER], trace })
    this.driver = new FaultyDriver(database, this.disk.power, random)
  }

  /** Sets what fails by chance from now on. */
  fail(chances: FaultyDisk['faults']['chances'], refusals: number): void {
    this.disk.faults.chances = chances
    this.driver.refusals = refusals
  }

  /** Starts the server. */
  async start(): Promise<Store> {
    this.tick()
    const { disk, driver } = this
    const limits = DEFAULT_LIMITS
    const index = new SqlIndex({ driver, disk, folder: FOLDER, limits })
    await index.completeDeletions()
    const objects = new FileObjects(disk, `${FOLDER}/objects`)
    const options = { index, objects, disk, folder: FOLDER, limits }
    const folder = await Folder.open({ ...options, journalSize: JOURNAL, foldSize: FOLD })
    this.life = { index, objects, folder }
    return new FolderStore(folder, 'local')
  }

  /** Work that comes to an end; else an error that says so. */
  inTime<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.still.promise])
  }

  /** Ends the server as an operator does. */
  async stop(): Promise<void> {
    await this.life?.folder.close()
    this.life?.objects.close()
    await this.life?.index.close()
  }

  /** Ends it by force, and with it perhaps the power. */
  async end(how: 'cut' | 'kill'): Promise<void> {
    this.life = undefined
    this.disk = how === 'cut' ? this.disk.powerCut() : this.disk.killProcess()
    await this.driver.last
    vi.clearAllTimers()
    this.driver = new FaultyDriver(database, this.disk.power, this.random)
  }

  async close(): Promise<void> {
    this.isTicking = false
    this.disk.power.cutAfter(0)
    vi.clearAllTimers()
    await database.run(emptied)
  }

  /** Lets the timers of the server go by, a thousand times as fast as on a clock. */
  private tick(): void {
    if (this.isTicking) return
    this.isTicking = true
    const turn = (turns: number) => {
      if (!this.isTicking) return
      if (turns === MOST_TURNS) this.still.reject(new Error('the machine stands still'))
      if (turns % TURNS === 0) vi.advanceTimersByTime(TICK_MS)
      setImmediate(() => turn(turns + 1))
    }
    turn(1)
  }
}
