/** Replays of journals whose last write was cut off, or of which something has changed. */
import { describe, expect, it } from 'vitest'
import { DamagedJournal, verifyJournal } from '../../src/journal/replay.ts'
import { MemoryDisk } from './support/memory-disk.ts'
import { attempt, FOLDER, newJournal, type Read, readBack, recordOf } from './support/records.ts'

const PIECE = 512

/** A journal that was killed: groups of these records, and no seal. */
async function killed(groups: readonly (readonly number[])[], segmentBytes?: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const journal = await newJournal({ disk, segmentBytes })
  for (const sizes of groups) {
    const first = 100 * disk.writes.length
    await Promise.all(sizes.map((size, i) => journal.append(recordOf(first + i, size))))
  }
  const copy = disk.copy()
  copy.writes.push(...disk.writes)
  await journal.close()
  return copy
}

/** The same, closed. */
async function closed(groups: readonly (readonly number[])[], segmentBytes?: number): Promise<MemoryDisk> {
  const disk = await killed(groups, segmentBytes)
  await attempt(disk)
  return disk
}

async function wordsOf(disk: MemoryDisk): Promise<readonly Read[]> {
  return (await readBack(disk.copy())).records
}

function file(disk: MemoryDisk, path: string): Uint8Array {
  const bytes = disk.files.get(path)
  if (bytes === undefined) throw new Error(`no file "${path}"`)
  return bytes
}

/** The disk with another content of one file. */
function withFile(disk: MemoryDisk, path: string, bytes: Uint8Array): MemoryDisk {
  const other = disk.copy()
  other.files.set(path, bytes)
  return other
}

describe('a last write that was cut off', () => {
  const GROUPS = [[24, 700], [24], [900, 24, 600]]

  it('at any byte leaves the groups before it', async () => {
    const disk = await killed(GROUPS)
    const all = await wordsOf(disk)
    const last = disk.writes.at(-1)
    if (last === undefined) throw new Error('nothing was written')
    const bytes = file(disk, last.path)
    expect(bytes.length).toBe(last.at + last.size)
    for (let end = last.at; end < bytes.length; end++) {
      expect(await attempt(withFile(disk, last.path, bytes.slice(0, end)))).toEqual(all.slice(0, 3))
    }
    expect(await attempt(disk)).toEqual(all)
  })

  it('in its very beginning leaves an empty journal', async () => {
    const disk = await killed([[24, 40]])
    const path = `${FOLDER}/00001.journal`
    const bytes = file(disk, path)
    for (let end = 0; end < bytes.length; end++) {
      expect(await attempt(withFile(disk, path, bytes.slice(0, end)))).toEqual([])
    }
  })

  /** Each way in which pieces of 512 bytes of the last write are as they were before. */
  function* torn(before: Uint8Array, after: Uint8Array, at: number, size: number): Generator<Uint8Array> {
    const first = Math.floor(at / PIECE)
    const pieces = Math.ceil((at + size) / PIECE) - first
    for (let subset = 1; subset < 2 ** pieces; subset++) {
      const bytes = after.slice()
      for (let piece = 0; piece < pieces; piece++) {
        if (((subset >> piece) & 1) === 0) continue
        const from = (first + piece) * PIECE
        bytes.fill(0, from, from + PIECE)
        bytes.set(before.subarray(from, from + PIECE).subarray(0, bytes.length - from), from)
      }
      if (Buffer.compare(bytes, after) !== 0) yield bytes
    }
  }

  it.each([
    ['zeros', false],
    ['what an earlier use has left', true],
  ])('in any of its pieces, where there are %s instead, leaves the groups before it', async (_, isReused) => {
    const disk = new MemoryDisk()
    let journal = await newJournal({ disk })
    if (isReused) {
      // The same records under the same numbers: the salt alone tells them apart.
      for (const sizes of GROUPS) await Promise.all(sizes.map((size, i) => journal.append(recordOf(i, size))))
      await journal.close()
      const old = file(disk, `${FOLDER}/00001.journal`).slice()
      old.fill(0, 0, 64)
      disk.files.set(`${FOLDER}/00001.journal`, old)
      journal = await newJournal({ disk })
    }
    for (const sizes of GROUPS.slice(0, 2)) await Promise.all(sizes.map((size, i) => journal.append(recordOf(i, size))))
    const [path = ''] = disk.files.keys()
    const before = file(disk, path).slice()
    await Promise.all((GROUPS[2] ?? []).map((size, i) => journal.append(recordOf(i, size))))
    const last = disk.writes.at(-1)
    if (last === undefined) throw new Error('nothing was written')
    const copy = disk.copy()
    await journal.close()
    const all = await wordsOf(copy)
    expect(all).toHaveLength(6)
    let tried = 0
    for (const bytes of torn(before, file(copy, path), last.at, last.size)) {
      expect(await attempt(withFile(copy, path, bytes))).toEqual(all.slice(0, 3))
      tried++
    }
    expect(tried).toBeGreaterThan(10)
  })

  it('is found the same when the first start is killed as well, and another time', async () => {
    const disk = await killed(GROUPS)
    const last = disk.writes.at(-1)
    if (last === undefined) throw new Error('nothing was written')
    const path = last.path
    const cut = withFile(disk, path, file(disk, path).slice(0, last.at + 300))
    const expected = await wordsOf(cut)
    expect(expected).toHaveLength(3)
    for (let start = 0; start < 3; start++) expect(await attempt(cut)).toEqual(expected)
    for (let taken = 0; taken <= 32; taken++) {
      const again = withFile(disk, path, file(disk, path).slice(0, last.at + 300))
      again.onWrite = ({ at }) => (at === last.at ? { taken, error: new Error('killed') } : undefined)
      await attempt(again)
      expect(await attempt(again.copy())).toEqual(expected)
    }
  })
})

describe('a journal that was found', () => {
  it('is on the disk before it is told of', async () => {
    const disk = await killed([[24], [500, 24], [60]])
    disk.writes.length = 0
    await attempt(disk)
    const size = file(disk, `${FOLDER}/00001.journal`).length
    const [group, seal] = disk.writes
    expect(disk.writes).toHaveLength(2)
    expect(seal).toEqual({ path: `${FOLDER}/00001.journal`, at: size - 32, size: 32 })
    expect((group?.at ?? 0) + (group?.size ?? 0)).toBe(seal?.at)
    expect(group?.at).toBeGreaterThan(64)
  })

  it('is not told of where its last write cannot be brought to the disk', async () => {
    const disk = await killed([[24], [60]])
    disk.onWrite = () => ({ taken: 0, error: Object.assign(new Error('EIO'), { code: 'EIO' }) })
    await expect(readBack(disk)).rejects.toThrow('EIO')
    expect(disk.opened.size).toBe(0)
  })

  it('is read on a full disk, which has no room for the seal', async () => {
    const disk = await killed([[24], [60]])
    const size = file(disk, `${FOLDER}/00001.journal`).length
    disk.onWrite = ({ at }) =>
      at === size ? { taken: 0, error: Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }) } : undefined
    const { records, found } = await readBack(disk)
    expect(records).toHaveLength(2)
    expect(found.segments.at(-1)?.end).toBe(size)
    expect(found.state.previous.previousEnd).toBe(size)
  })

  it('is verified without a change', async () => {
    const disk = await killed([[24], [60], [700]], 800)
    const before = disk.copy().files
    disk.writes.length = 0
    const segments = await verifyJournal(disk, FOLDER)
    expect(segments.flatMap(({ records }) => records)).toHaveLength(3)
    expect(disk.writes).toEqual([])
    expect(disk.files).toEqual(before)
    await expect(verifyJournal(new MemoryDisk(), '/nowhere')).resolves.toEqual([])
  })
})

describe('a bit that was flipped', () => {
  /** Flips each bit of each file in turn. */
  async function flipAll(disk: MemoryDisk): Promise<Record<'damaged' | 'draws' | 'same', number>> {
    const all = await wordsOf(disk)
    const seen = { damaged: 0, draws: 0, same: 0 }
    for (const [path, bytes] of disk.files) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice()
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const found = await attempt(withFile(disk, path, flipped))
        if (found instanceof DamagedJournal) seen.damaged++
        else {
          // Each record is as it was, or known to be damaged.
          const expected = all.map((word, i) => (found[i] === 'damaged' ? 'damaged' : word))
          expect(found, `bit ${bit} of ${path}`).toEqual(expected)
          seen[found.includes('damaged') ? 'draws' : 'same']++
        }
      }
    }
    return seen
  }

  const bitsOf = (disk: MemoryDisk) => [...disk.files.values()].reduce((bits, { length }) => bits + length * 8, 0)

  it('anywhere in a journal that was killed is found', async () => {
    const disk = await killed([[24], [31, 0, 40]])
    const seen = await flipAll(disk)
    expect(seen).toMatchObject({ same: 0, damaged: bitsOf(disk) - seen.draws })
    expect(seen.draws).toBeGreaterThan(800)
  })

  it('anywhere in its only group is found', async () => {
    expect(await flipAll(await killed([[24, 12]]))).toMatchObject({ same: 0 })
  })

  it('anywhere in a journal that was closed is found', async () => {
    expect(await flipAll(await closed([[24], [31, 40]]))).toMatchObject({ same: 0 })
  })

  it('anywhere in a journal of three segments is found', async () => {
    const disk = await killed([[60], [31, 40], [24]], 200)
    expect(disk.files.size).toBe(3)
    expect(await flipAll(disk)).toMatchObject({ same: 0 })
  })
})

describe('a segment that is missing', () => {
  const GROUPS = [[60], [61], [62], [63]]

  it('is named, unless it is the last one, of which nothing else tells', async () => {
    const disk = await killed(GROUPS, 200)
    const all = await wordsOf(disk)
    for (const slot of [1, 2, 3]) {
      const other = disk.copy()
      other.files.delete(`${FOLDER}/0000${slot}.journal`)
      const error = await attempt(other)
      expect(error).toBeInstanceOf(DamagedJournal)
      expect(String(error)).toContain(`segment ${slot}`)
      expect(other.opened.size).toBe(0)
    }
    const other = disk.copy()
    other.files.delete(`${FOLDER}/00004.journal`)
    expect(await attempt(other)).toEqual(all.slice(0, 3))
  })

  it('in part is named', async () => {
    const disk = await killed(GROUPS, 200)
    const path = `${FOLDER}/00002.journal`
    const bytes = file(disk, path)
    for (let end = 0; end < bytes.length; end++) {
      expect(await attempt(withFile(disk, path, bytes.slice(0, end)))).toBeInstanceOf(DamagedJournal)
    }
  })
})
