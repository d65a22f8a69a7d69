/** Segments of a journal: which are written again, kept, removed, and waited for. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { turn } from '../../src/core/turn.ts'
import { Journal } from '../../src/journal/journal.ts'
import { replay } from '../../src/journal/replay.ts'
import type { Place, Segment } from '../../src/journal/segment.ts'
import { nodeDisk } from '../../src/objects/node-disk.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { diskError, MemoryDisk, type Write } from './support/memory-disk.ts'
import { attempt, FOLDER, journalHolding, newJournal, recordOf } from './support/records.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A journal of small segments, each of which takes one record. */
async function small(options: { readonly pressed?: (oldest: Segment) => void } = {}) {
  const disk = new MemoryDisk()
  const journal = await newJournal({ disk, segmentBytes: 200, ...options })
  let next = 0
  const append = () => journal.append(recordOf(++next, 60))
  return { disk, journal, append }
}

describe('segments', () => {
  it('are written again in a few files when they are emptied', async () => {
    const { disk, journal, append } = await small()
    for (let i = 0; i < 100; i++) (await append()).segment.release()
    expect(disk.files.size).toBeLessThan(5)
    expect(await attempt(disk.copy())).toHaveLength(1)
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it('are emptied from the oldest on, whichever is released first', async () => {
    const { disk, journal, append } = await small()
    const places = [await append(), await append(), await append(), await append()]
    for (const place of places.slice(1)) place.segment.release()
    for (let i = 0; i < 3; i++) await append()
    expect(disk.files.size).toBe(7)
    expect(await attempt(disk.copy())).toHaveLength(7)
    places[0]?.segment.release()
    for (let i = 0; i < 3; i++) await append()
    expect(disk.files.size).toBe(8)
    expect(await attempt(disk.copy())).toHaveLength(6)
    await journal.close()
  })

  it('are not written again while a replay would look for them', async () => {
    const { disk, append } = await small()
    const first = await append()
    await append()
    await append()
    first.segment.release()
    // The next segment is the first that says it, and it does so when its head is on the disk.
    const path = `${FOLDER}/00001.journal`
    const before = disk.files.get(path)
    for (const taken of [0, 63, 64, 150]) {
      disk.onWrite = () => ({ taken, error: diskError('EIO') })
      await expect(append()).rejects.toThrow()
      expect(await attempt(disk.copy())).toHaveLength(taken < 64 ? 3 : 2)
      expect(disk.files.get(path)).toBe(before)
    }
    disk.onWrite = () => undefined
    for (let i = 0; i < 4; i++) await append()
    expect(disk.files.get(path)).not.toEqual(before)
    expect(await attempt(disk.copy())).toHaveLength(6)
  })

  it('are removed when there are many, and only then', async () => {
    const { disk, journal, append } = await small()
    const places: Place[] = []
    for (let i = 0; i < 7; i++) places.push(await append())
    for (const { segment } of places) segment.release()
    expect(disk.files.size).toBe(7)
    expect(await attempt(disk.copy())).toHaveLength(7)
    await append()
    await append()
    await vi.waitFor(() => expect(disk.files.size).toBeLessThan(7))
    expect(await attempt(disk.copy())).toHaveLength(2)
    await journal.close()
  })

  it('are removed after a rest, but for a few', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { disk, journal, append } = await small()
      const places: Place[] = []
      for (let i = 0; i < 7; i++) places.push(await append())
      for (const { segment } of places.slice(0, 6)) segment.release()
      expect(disk.files.size).toBe(7)
      await vi.advanceTimersByTimeAsync(1000)
      expect(disk.files.size).toBe(7)
      await vi.advanceTimersByTimeAsync(61_000)
      // The one that is held, the one that says so, and two that will be written again.
      expect(disk.files.size).toBe(4)
      expect(await attempt(disk.copy())).toHaveLength(1)
      await append()
      expect(await attempt(disk.copy())).toHaveLength(2)
      await journal.close()
      expect(disk.opened.size).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('that are removed give their disk back though somebody has them open, and their names are used again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const folder = newFolder()
    try {
      const found = await replay(nodeDisk, folder)
      const journal = journalHolding(found, { disk: nodeDisk, folder, segmentBytes: 200 })
      const files = () => readdirSync(folder)
      const burst = async () => {
        const places: Place[] = []
        for (let i = 0; i < 7; i++) places.push(await journal.append(recordOf(i + 1, 60)))
        const readers = await Promise.all(files().map((name) => nodeDisk.open(join(folder, name), 'read')))
        for (const { segment } of places) segment.release()
        const begun = Date.now()
        for (let turns = 0; Date.now() < begun + 4000 && files().length > 4; turns++) {
          if (turns % 50 === 0) vi.advanceTimersByTime(1000)
          await turn()
        }
        const sizes = await Promise.all(readers.map((file) => file.size()))
        expect(sizes.filter((size) => size > 0).length).toBeLessThan(5)
        for (const file of readers) await file.close()
      }
      for (let i = 0; i < 4; i++) await burst()
      await journal.close()
      expect(Math.max(...files().map((name) => Number.parseInt(name, 10)))).toBeLessThan(12)
    } finally {
      vi.useRealTimers()
      removeFolder(folder)
    }
  })

  it('are removed after a rest also when the last write has failed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { disk, journal, append } = await small()
    const places: Place[] = []
    for (let i = 0; i < 7; i++) places.push(await append())
    for (const { segment } of places.slice(0, 6)) segment.release()
    disk.onWrite = () => ({ taken: 0, error: diskError('ENOSPC') })
    await expect(append()).rejects.toThrow()
    disk.onWrite = () => undefined
    await vi.advanceTimersByTimeAsync(62_000)
    expect(disk.files.size).toBe(4)
    expect(await attempt(disk.copy())).toHaveLength(1)
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it('are left when they have very many records', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    const sequences: number[] = []
    for (let burst = 0; burst < 7; burst++) {
      const appends = Array.from({ length: 15_000 }, (_, i) => journal.append(recordOf(15_000 * burst + i + 1, 0)))
      const [place] = await Promise.all(appends)
      sequences.push(place?.segment.sequence ?? 0)
    }
    expect(sequences).toEqual([1, 1, 1, 1, 1, 2, 2])
    await journal.close()
  })

  it('stay while they are the present one, though nothing needs them', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    const first = await journal.append(recordOf(1))
    first.segment.release()
    const second = await journal.append(recordOf(2))
    expect(second.segment).toBe(first.segment)
    expect(await attempt(disk.copy())).toHaveLength(2)
    second.segment.release()
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it('are emptied by whoever is pressed, at once or while he is', async () => {
    const places = new Map<Segment, number>()
    const later: Promise<void>[] = []
    const keep = async () => {
      const { segment } = await append()
      places.set(segment, (places.get(segment) ?? 0) + 1)
    }
    const { disk, journal, append } = await small({
      pressed: (oldest) => {
        const count = places.get(oldest) ?? 0
        places.delete(oldest)
        for (let n = count; n > 0; n--) oldest.release()
        if (later.length < 5) later.push(keep())
      },
    })
    for (let i = 0; i < 40; i++) await keep()
    await Promise.all(later)
    expect(later).toHaveLength(5)
    expect(disk.files.size).toBeLessThan(16)
    expect(await attempt(disk.copy())).toBeInstanceOf(Array)
    await journal.close()
  })

  it('make appends wait for room when all are held', async () => {
    const pressed = vi.fn()
    const { disk, journal, append } = await small({ pressed })
    const places: Place[] = []
    for (let i = 0; i < 8; i++) places.push(await append())
    const waiting = append()
    await vi.waitFor(() => expect(pressed).toHaveBeenLastCalledWith(places[0]?.segment))
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 30, 'waits'))])).toBe('waits')
    places[0]?.segment.release()
    await waiting
    expect(await attempt(disk.copy())).toHaveLength(8)
    await journal.close()
  })

  it('fail appends when there is no room for long, and take them later', async () => {
    const lost = vi.fn()
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk, segmentBytes: 200, lost })
    const places: Place[] = []
    for (let i = 0; i < 8; i++) places.push(await journal.append(recordOf(i + 1, 60)))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const full = [20, 21].map((chain) =>
      expect(journal.append(recordOf(chain))).rejects.toMatchObject({ code: 'storage_unavailable' }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(21_000)
    await Promise.all(full)
    vi.useRealTimers()
    expect(lost).toHaveBeenCalledTimes(1)
    places[0]?.segment.release()
    await journal.append(recordOf(30))
    const left = await attempt(disk.copy())
    expect(left).toHaveLength(8)
    await journal.close()
  })
})

describe('a journal that goes on', () => {
  it('after a start keeps what is held, and names it as needed', async () => {
    const { disk, append } = await small()
    const written: Write[] = disk.writes
    for (let i = 0; i < 3; i++) await append()
    expect(written).toHaveLength(3)
    const other = disk.copy()
    const journal = journalHolding(await replay(other, FOLDER), { disk: other, segmentBytes: 200 })
    await journal.append(recordOf(50, 60))
    await journal.append(recordOf(51, 60))
    expect(await attempt(other.copy())).toHaveLength(5)
    await journal.close()
    expect(other.opened.size).toBe(0)
  })

  it('after a start on which nothing was held uses its files again', async () => {
    const { disk, append } = await small()
    for (let i = 0; i < 3; i++) await append()
    const other = disk.copy()
    const journal = await newJournal({ disk: other, segmentBytes: 200 })
    for (let i = 0; i < 10; i++) (await journal.append(recordOf(50 + i, 60))).segment.release()
    expect(other.files.size).toBeLessThan(6)
    await journal.close()
    expect(other.opened.size).toBe(0)
  })

  it('takes what fits into a group, and not more', () => {
    expect(Journal.takes(recordOf(1, 250_000))).toBe(true)
    expect(Journal.takes(recordOf(1, 256 * 1024))).toBe(false)
    const columns = { ...recordOf(1, 0), segments: new Array(300_000).fill(null) }
    expect(Journal.takes(columns)).toBe(false)
  })

  it('has the same memory after a replay as before', async () => {
    const folder = join(newFolder(), 'journal')
    const journal = new Journal({
      disk: nodeDisk,
      folder,
      state: (await replay(nodeDisk, folder)).state,
      lost: () => undefined,
      pressed: () => undefined,
    })
    await Promise.all(Array.from({ length: 120 }, (_, i) => journal.append(recordOf(i + 1, 200_000))))
    await journal.close()
    const before = process.memoryUsage().arrayBuffers
    const { segments } = await replay(nodeDisk, folder)
    const after = process.memoryUsage().arrayBuffers
    for (const { file } of segments) await file.close()
    removeFolder(dirname(folder))
    expect(segments.flatMap(({ records }) => records)).toHaveLength(120)
    // The segment has 24 MB, and was read whole.
    expect(after - before).toBeLessThan(5_000_000)
  })
})
