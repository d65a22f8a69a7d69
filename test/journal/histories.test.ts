/** Lives of a journal on a disk that fails as a seed says: nothing that was acknowledged is lost, doubled or changed. */
import { expect, it } from 'vitest'
import { Journal } from '../../src/journal/journal.ts'
import type { Place, Segment } from '../../src/journal/segment.ts'
import { FaultyDisk } from '../disk/faulty-disk.ts'
import { Random } from '../disk/random.ts'
import { FOLDER, type Read, readBack, readRecord, recordOf, wordOf } from './support/records.ts'

/** Histories by number; one alone is tried with MCB_TEST_HISTORY. */
const HISTORIES = Number(process.env.MCB_TEST_HISTORIES ?? 100)
const ONLY = process.env.MCB_TEST_HISTORY

interface Held {
  readonly word: Read
  readonly place: Place
}

class History {
  private readonly random: Random
  private readonly segmentBytes: number
  private disk: FaultyDisk
  private journal: Journal | undefined
  private next = 1
  /** Records that must be there, by the place at which they are held. */
  private held: Held[] = []
  /** Records of which nobody knows: cut off, failed or given back. */
  private readonly unknown = new Set<Read>()
  /** Records that a replay has not found: they never come back. */
  private readonly gone = new Set<Read>()

  constructor(seed: number) {
    this.random = new Random(seed)
    this.segmentBytes = this.random.between(200, 5000)
    this.disk = new FaultyDisk({ seed: this.random.next(), folders: ['/data'] })
  }

  async run(): Promise<void> {
    for (let life = this.random.between(2, 6); life > 0; life--) await this.live()
    this.disk.faults.chances = {}
    this.disk.room = Number.POSITIVE_INFINITY
    await this.start()
  }

  /** One process, from its start to its end. */
  private async live(): Promise<void> {
    const { random, disk } = this
    const isBad = random.chance(0.6)
    const fail = isBad ? { write: 0.1, open: 0.03, syncFolder: 0.03, read: 0.01 } : {}
    disk.faults.chances = { shortWrite: random.pick([0, 0.3]), shortRead: random.pick([0, 0.3]), fail }
    disk.room = random.chance(0.2) ? random.between(1000, 20_000) : Number.POSITIVE_INFINITY
    if (random.chance(0.7)) disk.power.cutAfter(random.between(1, 150))
    const work = this.work()
    await Promise.race([work, disk.power.gone])
    if (disk.power.isOn && random.chance(0.3)) await Promise.race([this.journal?.close(), disk.power.gone])
    this.journal = undefined
    this.disk = random.chance(0.5) ? disk.powerCut() : disk.killProcess()
  }

  private async work(): Promise<void> {
    try {
      await this.start()
    } catch (error) {
      // A disk that fails is no reason to call the journal damaged; the next process tries again.
      expect(error).toHaveProperty('code')
      return
    }
    for (let burst = this.random.between(0, 12); burst > 0; burst--) await this.burst()
  }

  /** Replays, and compares what is found with what must be there. */
  private async start(): Promise<void> {
    const { records, found } = await readBack(this.disk)
    expect(new Set(records).size).toBe(records.length)
    const needed = this.held.map(({ word }) => word)
    const known = new Set(needed)
    expect(records.filter((word) => known.has(word))).toEqual(needed)
    for (const word of records) {
      expect(known.has(word) || this.unknown.has(word), word).toBe(true)
      expect(this.gone.has(word), word).toBe(false)
    }
    for (const word of this.unknown) if (!records.includes(word)) this.gone.add(word)
    this.unknown.clear()
    this.open(found, records)
  }

  private open(found: Awaited<ReturnType<typeof readBack>>['found'], words: readonly Read[]): void {
    const journal = new Journal({
      disk: this.disk,
      folder: FOLDER,
      state: found.state,
      segmentBytes: this.segmentBytes,
      lost: () => undefined,
      pressed: (oldest) => this.empty(oldest),
    })
    this.journal = journal
    this.held = []
    for (const { slot, sequence, file, end, records } of found.segments) {
      const segment = journal.adopt(slot, sequence, file, end)
      for (const { at, bytes } of records) {
        segment.hold()
        this.held.push({ word: words[this.held.length] ?? '', place: { segment, at, bytes } })
      }
      segment.finish()
    }
  }

  /** Gives records back: a replay may find them or not. */
  private release(which: (held: Held) => boolean): void {
    const released = this.held.filter(which)
    this.held = this.held.filter((held) => !released.includes(held))
    for (const { word, place } of released) {
      this.unknown.add(word)
      place.segment.release()
    }
  }

  private empty(oldest: Segment): void {
    this.release(({ place }) => place.segment === oldest)
  }

  /** Appends at once, some of which come while others are written. */
  private async burst(): Promise<void> {
    const { random, disk } = this
    const appends: Promise<void>[] = []
    for (let n = random.between(1, 8); n > 0; n--) {
      appends.push(this.append())
      if (random.chance(0.3)) await Promise.race([appends.at(-1), disk.power.gone])
    }
    await Promise.all(appends)
    if (this.held.length > 0 && disk.power.isOn) await this.look(random.pick(this.held))
    if (random.chance(0.3)) this.release(() => random.chance(0.5))
    if (random.chance(0.05)) this.release(() => true)
  }

  /** Reads a record while it is held. */
  private async look({ word, place }: Held): Promise<void> {
    const { segment, at, bytes } = place
    try {
      expect(await readRecord(segment.file, { at, bytes })).toBe(word)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EIO')) throw error
    }
  }

  private async append(): Promise<void> {
    const record = recordOf(this.next++, this.random.pick([0, 24, 100, 700, this.random.below(3000)]))
    const word = wordOf(record)
    this.unknown.add(word)
    let place: Place | undefined
    try {
      place = await this.journal?.append(record)
    } catch (error) {
      expect(error).toHaveProperty('code', 'storage_unavailable')
    }
    if (place === undefined) return
    this.unknown.delete(word)
    // The journal itself holds it once for whom it tells of it.
    this.held.push({ word, place })
  }
}

it('of a journal end with all that was acknowledged', async () => {
  const seeds = ONLY === undefined ? Array.from({ length: HISTORIES }, (_, i) => i + 1) : [Number(ONLY)]
  for (const seed of seeds) {
    try {
      await new History(seed).run()
    } catch (error) {
      throw new Error(`history ${seed} (MCB_TEST_HISTORY=${seed}): ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
  }
})
