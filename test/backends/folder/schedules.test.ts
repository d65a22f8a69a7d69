/**
 * Random schedules on the storage of Node, over a disk that fails: clients that register, append, repeat, read, list and
 * delete, folds, restarts, kills and power cuts.
 *
 * After each start every draw that was acknowledged is there, bit for bit, and none is doubled; a batch without an answer is
 * there whole or not at all. A server that refuses to start, or to read, does so for a bit that was flipped and for nothing
 * else, and says what is damaged.
 */
import { test } from 'vitest'
import { isMcbError } from '../../../src/core/errors.ts'
import type { Store } from '../../../src/core/store.ts'
import { Random } from '../../disk/random.ts'
import { runSchedules, seedsOf } from '../../disk/seeds.ts'
import { type Sizes, World } from './clients.ts'
import { Machine, serverTime } from './machine.ts'
import { Violation } from './model.ts'

const SCHEDULES = 1000
/** The most that all of them may take, on a machine that is very busy: a minute on an idle one. */
const MOST_MS = 900_000
const ENDS = ['cut', 'kill', 'cut'] as const

const trace = process.env.MCB_SEED === undefined ? () => {} : (line: string) => void process.stdout.write(`${line}\n`)

serverTime()

class Schedule {
  private readonly random: Random
  private readonly machine: Machine
  private readonly world: World
  private readonly hasFaults: boolean
  private readonly bytes: number

  constructor(seed: number) {
    this.random = new Random(seed)
    this.machine = new Machine(this.random, trace)
    this.hasFaults = this.random.chance(0.6)
    // Some have batches that go to objects at once.
    this.bytes = this.random.pick([500, 500, 3000, 3000, 3000, 20_000, 20_000, 300_000])
    const widths = this.bytes > 3000 ? [300, 2000] : [1, 5, 40]
    this.world = new World(this.random, { widths, trace })
  }

  async run(): Promise<void> {
    try {
      await this.machine.inTime(this.lives())
      await this.machine.inTime(this.started().then((store) => this.world.verify(store)))
    } finally {
      await this.machine.close()
    }
  }

  /** One bit of a file is another one when the last life begins. */
  async runFlipped(): Promise<void> {
    try {
      await this.machine.inTime(this.lives())
      this.flip()
      await this.machine.inTime(this.started().then((store) => this.world.verify(store, isDamage)))
    } catch (error) {
      if (!isDamage(error)) throw error
    } finally {
      await this.machine.close()
    }
  }

  private flip(): void {
    const { disk } = this.machine
    const files = disk.files().filter((path) => disk.bytesOf(path).length > 0)
    if (files.length === 0) return
    const path = this.random.pick(files)
    const bit = this.random.below(disk.bytesOf(path).length * 8)
    trace(`flip ${path} ${bit}`)
    disk.flipBit(path, bit)
  }

  private async lives(): Promise<void> {
    const lives = this.random.between(1, 3)
    for (let life = 0; life < lives; life++) {
      trace(`life ${life}`)
      await this.live()
      await this.machine.end(this.random.pick(ENDS))
    }
  }

  private async live(): Promise<void> {
    const { random } = this
    // A start may be cut off as well.
    if (random.chance(0.2)) {
      this.machine.disk.power.cutAfter(random.between(1, 60))
      await Promise.race([this.started(), this.machine.disk.power.gone])
      await this.machine.end(random.pick(ENDS))
    }
    const store = await this.started()
    await this.world.verify(store)
    const steps = random.pick([random.between(1, 50), random.between(1, 300), 100_000])
    this.machine.disk.power.cutAfter(steps)
    if (this.hasFaults) this.fail()
    const sizes = { clients: random.between(1, 4), steps: random.between(1, 12), bytes: this.bytes }
    await Promise.race([this.work(store, sizes), this.machine.disk.power.gone])
    this.machine.fail({}, 0)
    this.world.mayLag = false
  }

  private async work(store: Store, sizes: Sizes): Promise<void> {
    await this.world.work(store, sizes)
    if (this.random.chance(0.3)) await this.machine.stop()
  }

  private fail(): void {
    const { random } = this
    const chance = () => random.pick([0, 0, 0.02, 0.1])
    const refusals = chance()
    // An index that takes nothing answers with the lengths that it was told last.
    this.world.mayLag = refusals > 0
    this.machine.fail(
      {
        shortWrite: random.pick([0, 0.3]),
        shortRead: random.pick([0, 0.3]),
        fail: {
          ...{ write: chance(), sync: chance(), open: chance(), read: chance() },
          ...{ syncFolder: chance(), makeFolder: chance(), remove: chance(), truncate: chance(), close: chance() },
        },
      },
      refusals,
    )
    if (random.chance(0.1)) this.machine.disk.room = this.machine.disk.used() + random.below(200_000)
  }

  private async started(): Promise<Store> {
    this.machine.disk.room = Number.POSITIVE_INFINITY
    return this.machine.start()
  }
}

/** True for an error that says what is damaged. */
function isDamage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof Violation || isMcbError(error, 'storage_unavailable')) return false
  return /damaged|is not whole|not what was written|has not got them/.test(error.message)
}

test(
  `after any of ${SCHEDULES} schedules, all that was acknowledged is there`,
  () => runSchedules(seedsOf(SCHEDULES), (seed) => new Schedule(seed).run()),
  MOST_MS,
)

test(
  'a bit that is flipped is found, or nothing needs it',
  () => runSchedules(seedsOf(SCHEDULES / 4), (seed) => new Schedule(seed + 1_000_000).runFlipped()),
  MOST_MS,
)
