/**
 * Random schedules on the journal alone, over a disk that fails: appends that share writes, segments that are released and
 * written again, faults, kills, power cuts and flipped bits.
 *
 * After each start every record that was acknowledged and not released is there, bit for bit; one that was found missing once
 * never comes back; and only a flipped bit is damage.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { isMcbError } from '../../src/core/errors.ts'
import { partsOf, sizeIn } from '../../src/journal/format.ts'
import { Journal } from '../../src/journal/journal.ts'
import { DamagedJournal, type Found, replay } from '../../src/journal/replay.ts'
import type { Place, Segment } from '../../src/journal/segment.ts'
import { type DiskFile, readAll } from '../../src/objects/disk.ts'
import { FaultyDisk } from '../disk/faulty-disk.ts'
import { Random } from '../disk/random.ts'
import { runSchedules, seedsOf } from '../disk/seeds.ts'
import { smallJournal } from './support/records.ts'

const FOLDER = '/data/journal'
const SCHEDULES = 300
/** The length of a column that was not sent. */
const ABSENT = 0xffffffff

// Timers of the journal go by when a schedule says so.
beforeAll(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterAll(() => void vi.useRealTimers())

/** A record that was appended: its number is its chain. */
interface Sent {
  readonly id: number
  readonly draws: Uint8Array<ArrayBuffer>
  /** Durable for all that the writer knows, or sent with an unknown outcome, or known to be missing. */
  state: 'acknowledged' | 'unknown' | 'gone'
  /** True when nobody needs it any more. */
  isReleased: boolean
}

class Schedule {
  readonly random: Random
  private readonly trace: (line: string) => void
  private disk: FaultyDisk
  private readonly sent = new Map<number, Sent>()
  private journal: Journal | undefined
  private held: { readonly place: Place; readonly sent: Sent }[] = []
  private readonly withFaults: boolean

  constructor(seed: number) {
    this.random = new Random(seed)
    this.trace = process.env.MCB_SEED === undefined ? () => {} : (line) => process.stdout.write(`${line}\n`)
    this.disk = new FaultyDisk({ seed, folders: ['/data', FOLDER], trace: this.trace })
    this.withFaults = this.random.chance(0.5)
  }

  async run(): Promise<void> {
    const lives = this.random.between(2, 6)
    for (let life = 0; life < lives; life++) {
      await this.start()
      await this.work()
      await this.end()
    }
    await this.start()
    this.disk.faults.chances = {}
    await this.journal?.close()
  }

  /** A start that finds a bit flipped: it reads right, or says what is damaged. */
  async runFlipped(): Promise<void> {
    await this.run()
    const files = this.disk.files().filter((path) => this.disk.bytesOf(path).length > 0)
    if (files.length === 0) return
    const path = this.random.pick(files)
    const bit = this.random.below(this.disk.bytesOf(path).length * 8)
    this.trace(`flip ${path} ${bit}`)
    this.disk.flipBit(path, bit)
    try {
      await this.open({ isFlipped: true })
    } catch (error) {
      if (!(error instanceof DamagedJournal)) throw error
      expect(error.message).toContain(FOLDER)
    }
  }

  /** Starts as often as it takes: a disk that fails may be asked again. */
  private async start(): Promise<void> {
    if (this.withFaults && this.random.chance(0.2)) {
      this.disk.faults.chances = { fail: { read: 0.05, open: 0.05, list: 0.05 } }
      await replay(this.disk, FOLDER).catch((error) => {
        if (!(error instanceof Error && 'code' in error)) throw error
      })
    }
    this.disk.faults.chances = {}
    this.disk.room = Number.POSITIVE_INFINITY
    await this.open({ isFlipped: false })
    if (this.withFaults) {
      const [write, open] = [this.random.pick([0, 0.02, 0.2]), this.random.pick([0, 0.1])]
      this.disk.faults.chances = { shortWrite: this.random.pick([0, 0.3]), fail: { write, open, syncFolder: open } }
      if (this.random.chance(0.2)) this.disk.room = this.random.between(1000, 40_000)
    }
  }

  private async open({ isFlipped }: { isFlipped: boolean }): Promise<void> {
    const found = await replay(this.disk, FOLDER)
    await this.compare(found, isFlipped)
    const journal = new Journal({
      disk: this.disk,
      folder: FOLDER,
      state: found.state,
      lost: () => {},
      pressed: (oldest) => this.releaseOf(oldest),
      size: smallJournal(8 * 1024),
    })
    this.held = []
    for (const each of found.segments) {
      const segment = journal.adopt(each)
      for (const { chain, at, bytes } of each.records) {
        segment.hold()
        this.held.push({ place: { segment, at, bytes }, sent: this.known(chain) })
      }
      segment.finish()
    }
    this.journal = journal
  }

  private known(id: number): Sent {
    const sent = this.sent.get(id)
    if (sent === undefined) throw new Error(`record ${id} was never sent`)
    return sent
  }

  /** Records that are found are among those that were sent, and all that must be there are. */
  private async compare(found: Found, isFlipped: boolean): Promise<void> {
    const there = new Set<number>()
    for (const { file, records } of found.segments) {
      for (const record of records) {
        const sent = this.known(record.chain)
        const isWhole = await isSame(file, record.at, record.bytes, sent)
        if (!isWhole && !isFlipped) throw new Error(`record ${sent.id} has other bytes`)
        if (there.has(sent.id)) throw new Error(`record ${sent.id} is there twice`)
        if (sent.state === 'gone') throw new Error(`record ${sent.id} has come back`)
        there.add(sent.id)
      }
    }
    for (const sent of this.sent.values()) {
      if (there.has(sent.id)) sent.state = 'acknowledged'
      else if (sent.state === 'unknown') sent.state = 'gone'
      else if (sent.state === 'acknowledged' && !sent.isReleased) throw new Error(`record ${sent.id} is lost`)
    }
  }

  private async work(): Promise<void> {
    this.disk.power.cutAfter(this.random.pick([this.random.between(1, 20), this.random.between(1, 100), 10_000]))
    await Promise.race([this.steps(), this.disk.power.gone])
  }

  private async steps(): Promise<void> {
    const pending: Promise<void>[] = []
    const steps = this.random.between(1, 60)
    for (let step = 0; step < steps; step++) {
      const choice = this.random.below(10)
      if (choice < 6) pending.push(this.append(), ...this.reading())
      else if (choice < 8) await Promise.all(pending.splice(0))
      else if (choice < 9) this.releaseSome()
      else await vi.advanceTimersByTimeAsync(300)
    }
    await Promise.all(pending)
  }

  private async append(): Promise<void> {
    const id = this.sent.size + 1
    const size = this.random.pick([this.random.below(40), this.random.below(600), this.random.below(3000), 20_000])
    const draws = this.random.bytes(size)
    const sent: Sent = { id, draws, state: 'unknown', isReleased: false }
    this.sent.set(id, sent)
    const record = { chain: id, start: id * 7, count: 3, time: id / 3, segments: [draws, null], size }
    const place = await this.journal?.append(record).catch((error: unknown): Place | undefined => {
      if (!isMcbError(error, 'storage_unavailable')) throw error
      this.trace(`refused ${id}`)
      return undefined
    })
    if (place === undefined) return
    this.trace(`acknowledged ${id} at ${place.at} of ${place.segment.sequence}`)
    sent.state = 'acknowledged'
    this.held.push({ place, sent })
  }

  /** Reads a record now and then, while it is held. */
  private reading(): Promise<void>[] {
    if (this.held.length === 0 || this.random.chance(0.8)) return []
    const { place, sent } = this.random.pick(this.held)
    const { segment, at, bytes } = place
    segment.hold()
    const read = async () => {
      const isRight = await isSame(segment.file, at, bytes, sent)
      if (!isRight) throw new Error(`record ${sent.id} is read with other bytes`)
      segment.release()
    }
    return [read()]
  }

  private releaseOf(oldest: Segment): void {
    const { held } = this
    this.held = held.filter(({ place }) => place.segment !== oldest)
    // As a fold, which takes its time.
    void Promise.resolve().then(() => {
      for (const { place, sent } of held) {
        if (place.segment !== oldest) continue
        sent.isReleased = true
        oldest.release()
      }
    })
  }

  private releaseSome(): void {
    const { held } = this
    const some = this.random.below(held.length + 1)
    this.held = held.slice(some)
    for (const { place, sent } of held.slice(0, some)) {
      sent.isReleased = true
      place.segment.release()
    }
  }

  private async end(): Promise<void> {
    const isOn = this.disk.power.isOn
    this.disk.faults.chances = {}
    if (isOn && this.random.chance(0.4)) await Promise.race([this.journal?.close(), this.disk.power.gone])
    this.disk = this.random.chance(0.6) ? this.disk.powerCut() : this.disk.killProcess()
  }
}

/** True where a record has these draws, in one column of two. */
async function isSame(file: DiskFile, at: number, bytes: number, { draws }: Sent): Promise<boolean> {
  const record = new Uint8Array(bytes)
  await readAll(file, record, at)
  const got = partsOf(record, sizeIn(record)).draws
  const lengths = new Uint8Array(Uint32Array.of(draws.length, ABSENT).buffer)
  return Buffer.compare(got, Buffer.concat([lengths, draws])) === 0
}

test(`what was acknowledged is there after any of ${SCHEDULES} schedules`, () =>
  runSchedules(seedsOf(SCHEDULES), (seed) => new Schedule(seed).run()))

test('a bit that is flipped is found', () =>
  runSchedules(seedsOf(SCHEDULES), (seed) => new Schedule(seed + 1_000_000).runFlipped()))
