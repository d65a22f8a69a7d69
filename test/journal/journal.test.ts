import { afterEach, describe, expect, it, vi } from 'vitest'
import type { NewRecord } from '../../src/journal/arena.ts'
import type { Journal } from '../../src/journal/journal.ts'
import type { Place } from '../../src/journal/segment.ts'
import { diskError, MemoryDisk } from './support/memory-disk.ts'
import { attempt, newJournal, recordOf, wordOf } from './support/records.ts'

const words = (records: readonly NewRecord[]) => records.map(wordOf)

/** A gate that holds up writes until it is opened. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  return { open: () => resolve(undefined), wait: () => promise }
}

/** Writes that are no seals. */
const groups = (disk: MemoryDisk) => disk.writes.filter(({ size }) => size > 32)

afterEach(() => {
  vi.useRealTimers()
})

describe('appends', () => {
  it('of one turn share a write, and so do those that come while it is under way', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    const held = gate()
    disk.onWrite = held.wait
    const first = [1, 2, 3].map((chain) => journal.append(recordOf(chain)))
    await vi.waitFor(() => expect(disk.writes).toHaveLength(1))
    const later = [4, 5, 6, 7].map((chain) => journal.append(recordOf(chain)))
    held.open()
    await Promise.all([...first, ...later])
    expect(disk.writes).toHaveLength(2)
    expect(await attempt(disk.copy())).toEqual(words([1, 2, 3, 4, 5, 6, 7].map((chain) => recordOf(chain))))
  })

  it('that are more than a group keep their order', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    const records = Array.from({ length: 50 }, (_, i) => recordOf(i + 1, i % 7 === 0 ? 100 : 250_000))
    await Promise.all(records.map((record) => journal.append(record)))
    expect(groups(disk).length).toBeLessThan(7)
    expect(await attempt(disk.copy())).toEqual(words(records))
  })

  it('go on with their memory as it was when they were called', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    const record = recordOf(1, 500)
    const before = wordOf(record)
    const place = journal.append(record)
    record.segments[0]?.fill(0)
    await place
    expect(await attempt(disk.copy())).toEqual([before])
  })

  it('are written wherever in the end of a round they come', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    for (let depth = 0; depth < 30; depth++) {
      await journal.append(recordOf(2 * depth + 1))
      for (let i = 0; i < depth; i++) await Promise.resolve()
      await journal.append(recordOf(2 * depth + 2))
    }
    expect(await attempt(disk.copy())).toHaveLength(60)
  })

  it('are whole where the disk takes bit by bit', async () => {
    const disk = new MemoryDisk()
    disk.onWrite = ({ size }) => ({ taken: Math.ceil(size / 3) })
    const journal = await newJournal({ disk })
    const records = [recordOf(1, 1000), recordOf(2, 30)]
    for (const record of records) await journal.append(record)
    expect(await attempt(disk.copy())).toEqual(words(records))
  })

  it('fail where the disk takes nothing', async () => {
    const disk = new MemoryDisk()
    disk.onWrite = () => ({ taken: 0 })
    const journal = await newJournal({ disk })
    await expect(journal.append(recordOf(1))).rejects.toMatchObject({ code: 'storage_unavailable' })
  })
})

describe('a write that fails', () => {
  /** A journal with one record, whose next write leaves so many bytes. */
  async function failing(taken: number, code = 'EIO') {
    const disk = new MemoryDisk()
    const events: string[] = []
    const journal = await newJournal({ disk, lost: () => events.push('lost') })
    await journal.append(recordOf(1))
    let left = 1
    disk.onWrite = () => (left-- > 0 ? { taken, error: diskError(code) } : undefined)
    return { disk, journal, events }
  }

  it.each([0, 10, 40, 80, 100_000])('after %i bytes fails all that wait, and nobody finds it', async (taken) => {
    const { disk, journal, events } = await failing(taken)
    const held = gate()
    const { onWrite } = disk
    disk.onWrite = async (write) => {
      await held.wait()
      return onWrite(write)
    }
    const failed = async (chain: number, size?: number) => {
      await expect(journal.append(recordOf(chain, size))).rejects.toMatchObject({ code: 'storage_unavailable' })
      events.push(`failed ${chain}`)
    }
    const first = failed(2)
    await vi.waitFor(() => expect(disk.writes).toHaveLength(2))
    // One waits in the other arena, the rest behind it, as no group has room for all of them.
    const others = Array.from({ length: 40 }, (_, i) => failed(3 + i, 250_000))
    held.open()
    await Promise.all([first, ...others])
    expect(events[0]).toBe('lost')
    expect(events).toHaveLength(42)
    await journal.append(recordOf(50))
    expect(await attempt(disk.copy())).toEqual(words([recordOf(1), recordOf(50)]))
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it('in part leaves a record of which nobody knows, whole or not at all', async () => {
    for (let taken = 0; taken < 200; taken++) {
      const { disk, journal } = await failing(taken)
      await expect(journal.append(recordOf(2))).rejects.toThrow()
      const whole = taken >= 32 + 40 + 4 + 8 + 26
      expect(await attempt(disk.copy())).toEqual(words(whole ? [recordOf(1), recordOf(2)] : [recordOf(1)]))
    }
  })

  it('again and again leaves one file behind', async () => {
    const { disk, journal } = await failing(0)
    disk.onWrite = () => ({ taken: 7, error: diskError('ENOSPC') })
    for (let i = 0; i < 20; i++) {
      await expect(journal.append(recordOf(i + 2))).rejects.toMatchObject({ code: 'storage_unavailable' })
    }
    expect(disk.files.size).toBe(2)
    disk.onWrite = () => undefined
    await journal.append(recordOf(90))
    expect(await attempt(disk.copy())).toEqual(words([recordOf(1), recordOf(90)]))
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it.each(['open', 'syncFolder'] as const)('for a segment that cannot be begun (%s) is tried again', async (failed) => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    disk.onCall = (call) => (call === failed ? diskError('EIO') : undefined)
    await expect(journal.append(recordOf(1))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(journal.append(recordOf(2))).rejects.toMatchObject({ code: 'storage_unavailable' })
    disk.onCall = () => undefined
    await journal.append(recordOf(3))
    expect(await attempt(disk.copy())).toEqual(words([recordOf(3)]))
    await journal.close()
    expect(disk.opened.size).toBe(0)
  })

  it('takes appends that are made while it is told of', async () => {
    const disk = new MemoryDisk()
    const again: Promise<Place>[] = []
    const journal: Journal = await newJournal({ disk, lost: () => again.push(journal.append(recordOf(2))) })
    disk.onWrite = () => ({ taken: 0, error: diskError('EIO') })
    await expect(journal.append(recordOf(1))).rejects.toThrow()
    await expect(again[0]).rejects.toMatchObject({ code: 'storage_unavailable' })
    disk.onWrite = () => undefined
    await journal.append(recordOf(3))
    expect(await attempt(disk.copy())).toEqual(words([recordOf(3)]))
  })
})

describe('the seal', () => {
  it('is written when no append has come for a while, once', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    await journal.append(recordOf(1))
    await vi.waitFor(() => expect(disk.writes.at(-1)?.size).toBe(32), { timeout: 2000 })
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(disk.writes).toHaveLength(2)
    await journal.append(recordOf(2))
    expect(await attempt(disk.copy())).toEqual(words([recordOf(1), recordOf(2)]))
    await journal.close()
  })

  it.each([
    ['comes through', undefined],
    ['fails', { taken: 5, error: diskError('EIO') }],
  ])('lets appends wait that come while it is written, and %s', async (_, fate) => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    await journal.append(recordOf(1))
    const held = gate()
    disk.onWrite = async ({ size }) => {
      if (size !== 32) return undefined
      await held.wait()
      return fate
    }
    await vi.waitFor(() => expect(disk.writes).toHaveLength(2), { timeout: 2000 })
    const places = [2, 3].map((chain) => journal.append(recordOf(chain)))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(disk.writes).toHaveLength(2)
    held.open()
    await Promise.all(places)
    expect(await attempt(disk.copy())).toEqual(words([recordOf(1), recordOf(2), recordOf(3)]))
    await journal.close()
  })
})

describe('the end', () => {
  it('waits for appends, and none come after it', async () => {
    const disk = new MemoryDisk()
    const lost = vi.fn()
    const journal = await newJournal({ disk, segmentBytes: 300, lost })
    const places = Array.from({ length: 5 }, (_, i) => journal.append(recordOf(i + 1, 250_000)))
    const closed = journal.close()
    await expect(journal.append(recordOf(9))).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(lost).toHaveBeenCalledTimes(1)
    const [place] = await Promise.all(places)
    await closed
    expect(disk.opened.size).toBe(0)
    expect(disk.writes.at(-1)?.size).toBe(32)
    // Closing a file twice is an error of the disk, and could close another one.
    place?.segment.release()
    expect(await attempt(disk)).toHaveLength(5)
  })

  it('comes while a seal is written, and on a journal that has nothing', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    await journal.append(recordOf(1))
    const held = gate()
    disk.onWrite = held.wait
    await vi.waitFor(() => expect(disk.writes).toHaveLength(2), { timeout: 2000 })
    const closed = journal.close()
    held.open()
    await closed
    expect(disk.writes).toHaveLength(2)
    expect(disk.opened.size).toBe(0)
    await (await newJournal({ disk: new MemoryDisk() })).close()
  })
})
