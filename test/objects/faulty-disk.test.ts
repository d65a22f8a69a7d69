/** The faulty disk itself: what survives, what may not, and that a seed tells all of it. */
import { describe, expect, test } from 'vitest'
import { type DiskFile, isMissing, readAll, writeAll } from '../../src/objects/disk.ts'
import { FaultyDisk, type FaultyDiskOptions } from '../disk/faulty-disk.ts'
import { Random } from '../disk/random.ts'

const SEEDS = Array.from({ length: 100 }, (_, seed) => seed)
const PATH = '/data/file'

const diskOf = (seed: number, options: Partial<FaultyDiskOptions> = {}) =>
  new FaultyDisk({ seed, folders: ['/data'], ...options })

/** A file whose name is on the disk. */
async function fileOn(disk: FaultyDisk, access: 'write' | 'durable' = 'write'): Promise<DiskFile> {
  const file = await disk.open(PATH, access)
  await disk.syncFolder('/data')
  return file
}

const filled = (value: number, size: number) => new Uint8Array(size).fill(value)
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no failure',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )

/** Kinds of outcomes that some seeds had. */
async function outcomes(of: (seed: number) => Promise<string>): Promise<string[]> {
  return [...new Set(await Promise.all(SEEDS.map(of)))].sort()
}

describe('a power cut', () => {
  test('leaves what was synced, and durable writes', async () => {
    for (const seed of SEEDS) {
      const disk = diskOf(seed)
      const file = await fileOn(disk)
      await file.write([filled(1, 3000)], 0)
      await file.sync()
      const durable = await disk.open(PATH, 'durable')
      await durable.write([filled(2, 1000)], 2500)
      await file.write([filled(3, 10)], 5000)
      const after = disk.powerCut().bytesOf(PATH)
      expect(after.subarray(0, 2500)).toEqual(filled(1, 2500))
      expect(after.subarray(2500, 3500)).toEqual(filled(2, 1000))
    }
  })

  test('takes any sectors of what was not, and leaves zeros or nothing in their place', async () => {
    const seen = await outcomes(async (seed) => {
      const disk = diskOf(seed)
      const file = await fileOn(disk)
      await file.write([filled(1, 600)], 0)
      await file.sync()
      await file.write([filled(2, 1400)], 600)
      await file.write([filled(3, 100)], 2000)
      const after = disk.powerCut().bytesOf(PATH)
      expect(after.subarray(0, 600)).toEqual(filled(1, 600))
      const bytesAt = [800, 1200, 1600, 2010].map((at) => after[at] ?? '-')
      return bytesAt.join(' ')
    })
    // A later write without the earlier one, a hole, a file that is short, all, and nothing.
    for (const some of ['0 0 0 3', '2 2 2 3', '- - - -', '2 - - -', '2 0 2 3']) expect(seen).toContain(some)
  })

  test('takes names that were not synced, be they new or removed', async () => {
    const seen = await outcomes(async (seed) => {
      const disk = diskOf(seed)
      await fileOn(disk)
      await disk.open('/data/new', 'write')
      await disk.remove(PATH)
      await disk.makeFolder('/data/deep/er')
      await disk.syncFolder('/data/deep')
      const after = disk.powerCut()
      const deep = (await after.list('/data')).includes('deep')
      // A name is there for good only with the folder above it.
      expect(await after.list('/data/deep')).toEqual(deep ? ['er'] : [])
      return after.files().sort().join(' ')
    })
    expect(seen).toEqual(['', '/data/file', '/data/file /data/new', '/data/new'])
    const disk = diskOf(1)
    await fileOn(disk)
    await disk.remove(PATH)
    await disk.syncFolder('/data')
    expect(disk.powerCut().files()).toEqual([])
  })

  test('may undo a cut of a file that was not synced', async () => {
    const seen = await outcomes(async (seed) => {
      const disk = diskOf(seed)
      const file = await fileOn(disk)
      await file.write([filled(1, 1000)], 0)
      await file.sync()
      await file.truncate(10)
      return String(disk.powerCut().bytesOf(PATH).length)
    })
    expect(seen).toEqual(['10', '1000'])
  })

  test('tears writes that are under way, also durable ones', async () => {
    const seen = await outcomes(async (seed) => {
      const disk = diskOf(seed)
      const file = await fileOn(disk, 'durable')
      void file.write([filled(1, 1500)], 0)
      const after = disk.powerCut().bytesOf(PATH)
      return [100, 600, 1200].map((at) => after[at] ?? '-').join(' ')
    })
    for (const some of ['1 1 1', '- - -', '1 0 1', '0 1 1', '1 - -']) expect(seen).toContain(some)
  })

  test('leaves nobody who would go on', async () => {
    const disk = diskOf(3)
    const file = await fileOn(disk)
    let settled = 0
    const count = () => void settled++
    void file.write([filled(1, 10)], 0).then(count, count)
    disk.powerCut()
    void file.write([filled(1, 10)], 0).then(count, count)
    void disk.open(PATH, 'read').then(count, count)
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(settled).toBe(0)
  })
})

test('a killed process leaves all that was written, and a beginning of what was under way', async () => {
  const lengths = new Set<number>()
  for (const seed of SEEDS) {
    const disk = diskOf(seed)
    const file = await disk.open(PATH, 'write')
    await file.write([filled(1, 1000)], 0)
    void file.write([filled(2, 1000)], 1000)
    const next = disk.killProcess()
    const after = next.bytesOf(PATH)
    expect(after.subarray(0, 1000)).toEqual(filled(1, 1000))
    expect(after.subarray(1000)).toEqual(filled(2, after.length - 1000))
    lengths.add(after.length)
    // The system has not synced anything by that.
    const names = next.powerCut().files()
    expect(names.length).toBeLessThanOrEqual(1)
  }
  expect(Math.min(...lengths)).toBe(1000)
  expect(Math.max(...lengths)).toBe(2000)
  expect(lengths.size).toBeGreaterThan(10)
})

test('after a sync that failed, later ones succeed without what it has lost', async () => {
  const seen = await outcomes(async (seed) => {
    const disk = diskOf(seed)
    const file = await fileOn(disk)
    await file.write([filled(1, 100)], 0)
    disk.faults.plan({ operation: 'sync' })
    expect(await codeOf(file.sync())).toBe('EIO')
    await file.write([filled(2, 100)], 600)
    await file.sync()
    const read = new Uint8Array(1)
    await readAll(file, read, 0)
    const after = disk.powerCut().bytesOf(PATH)
    expect(after.subarray(600)).toEqual(filled(2, 100))
    return `${read[0]} ${after[0]}`
  })
  // Read from the system's memory though it is lost, read as lost, and there.
  expect(seen).toEqual(['0 0', '1 0', '1 1'])
})

test('a durable write that fails may be there, or parts of it', async () => {
  const seen = await outcomes(async (seed) => {
    const disk = diskOf(seed)
    const file = await fileOn(disk, 'durable')
    disk.faults.plan({ operation: 'write' })
    expect(await codeOf(file.write([filled(1, 1024)], 0))).toBe('EIO')
    const after = disk.powerCut().bytesOf(PATH)
    return `${after[0] ?? '-'} ${after[1000] ?? '-'}`
  })
  for (const some of ['- -', '1 1', '0 1', '1 -']) expect(seen).toContain(some)
})

test('short writes and reads move fewer bytes, and none of them is lost', async () => {
  const disk = diskOf(5)
  disk.faults.chances = { shortWrite: 0.7, shortRead: 0.7 }
  const random = new Random(5)
  const whole = Uint8Array.from({ length: 5000 }, () => random.next())
  const file = await fileOn(disk)
  expect(await file.write([whole], 0)).toBeLessThan(5000)
  await writeAll(file, [whole.subarray(0, 1234), whole.subarray(1234)], 0)
  expect(disk.bytesOf(PATH)).toEqual(whole)
  const got = new Uint8Array(5000)
  await readAll(file, got, 0)
  expect(got).toEqual(whole)
})

test('a full disk takes what there is room for, and more when files go', async () => {
  const disk = diskOf(6, { room: 1000 })
  const file = await fileOn(disk)
  expect(await file.write([filled(1, 1500)], 0)).toBe(1000)
  expect(await codeOf(file.write([filled(1, 500)], 1000))).toBe('ENOSPC')
  // Bytes that are there can be written again.
  expect(await file.write([filled(2, 500)], 500)).toBe(500)
  await file.truncate(400)
  const other = await disk.open('/data/other', 'write')
  expect(await other.write([filled(3, 1000)], 0)).toBe(600)
  await disk.remove('/data/other')
  expect(await file.write([filled(4, 1000)], 400)).toBe(600)
})

test('failures come as planned, and by chance', async () => {
  const disk = diskOf(7)
  disk.faults.plan({ operation: 'open', path: 'other', code: 'EMFILE' })
  disk.faults.plan({ operation: 'read', after: 1 })
  const file = await fileOn(disk)
  expect(await codeOf(disk.open('/data/other', 'write'))).toBe('EMFILE')
  await file.write([filled(1, 10)], 0)
  const reads = [0, 0, 0].map(() => codeOf(file.read(new Uint8Array(5), 0)))
  expect((await Promise.all(reads)).sort()).toEqual(['EIO', 'no failure', 'no failure'])
  disk.faults.plan({ operation: 'read' })
  expect(() => file.readNow(new Uint8Array(5), 0)).toThrow('EIO')
  disk.faults.chances = { fail: { sync: 0.5, list: 1 } }
  const syncs = await Promise.all(Array.from({ length: 100 }, () => codeOf(file.sync())))
  const failed = syncs.filter((code) => code === 'EIO').length
  expect(failed).toBeGreaterThan(20)
  expect(failed).toBeLessThan(80)
  expect(await codeOf(disk.list('/data'))).toBe('EIO')
})

test('a bit that is flipped stays flipped', async () => {
  const disk = diskOf(8)
  const file = await fileOn(disk)
  await file.write([filled(1, 10)], 0)
  await file.sync()
  disk.flipBit(PATH, 8 * 3 + 1)
  const got = new Uint8Array(10)
  await file.read(got, 0)
  expect(got[3]).toBe(3)
  expect(disk.powerCut().bytesOf(PATH)).toEqual(Uint8Array.from([1, 1, 1, 3, 1, 1, 1, 1, 1, 1]))
})

/** Random work with faults and a cut; resolves to all that happened, and to what is left. */
async function historyOf(seed: number): Promise<string> {
  const lines: string[] = []
  const disk = diskOf(seed, { trace: (line) => lines.push(line), room: 20_000 })
  disk.faults.chances = { shortWrite: 0.2, shortRead: 0.2, fail: { write: 0.1, sync: 0.1, read: 0.1 } }
  const random = new Random(seed)
  disk.power.cutAfter(random.between(20, 60))
  const work = async (name: string) => {
    const file = await disk.open(`/data/${name}`, random.pick(['write', 'durable']))
    for (;;) {
      const at = random.below(4000)
      const call = random.pick([
        () => file.write([filled(random.below(256), random.below(3000))], at),
        () => file.sync(),
        () => file.read(new Uint8Array(random.below(2000)), at),
        () => file.truncate(at),
        () => disk.syncFolder('/data'),
        () => disk.remove(`/data/${random.pick(['a', 'b', 'c'])}`),
      ])
      lines.push(`${name}: ${await call().catch((error) => error.code)}`)
    }
  }
  for (const name of ['a', 'b', 'c']) work(name).catch((error) => lines.push(`${name}: ${isMissing(error)}`))
  await disk.power.gone
  const after = random.chance(0.5) ? disk.powerCut() : disk.killProcess()
  for (const path of after.files()) lines.push(`${path} ${Buffer.from(after.bytesOf(path)).toString('base64')}`)
  return lines.join('\n')
}

test('the same seed has the same history, and another one another', async () => {
  const histories = new Set<string>()
  for (const seed of SEEDS) {
    const history = await historyOf(seed)
    expect(await historyOf(seed)).toBe(history)
    histories.add(history)
  }
  expect(histories.size).toBe(SEEDS.length)
})
