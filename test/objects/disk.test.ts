/** Duties of a `Disk`, which the disk of Node and the faulty one without faults both have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Disk, isMissing, readAll, readAllNow, writeAll } from '../../src/objects/disk.ts'
import { nodeDisk } from '../../src/objects/node-disk.ts'
import { FaultyDisk } from '../disk/faulty-disk.ts'
import { Random } from '../disk/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'mcb-disk-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SUBJECTS: readonly [string, Disk, string][] = [
  ['the disk of Node', nodeDisk, folder],
  ['the faulty disk without faults', new FaultyDisk({ seed: 1, folders: ['/data'] }), '/data'],
]

const bytes = (...values: readonly number[]) => Uint8Array.from(values)
const noise = (seed: number, size: number) => {
  const random = new Random(seed)
  return Uint8Array.from({ length: size }, () => random.next())
}

async function contentOf(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read')
  const content = new Uint8Array(await file.size())
  expect(await readAll(file, content, 0)).toBe(content.length)
  await file.close()
  return content
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no refusal',
    (error: unknown) => error,
  )
}

describe.each(SUBJECTS)('%s', (_, disk, root) => {
  test('a file that is only read must be there, and one that is written is made', async () => {
    const path = `${root}/made`
    expect(isMissing(await refusal(disk.open(path, 'read')))).toBe(true)
    const file = await disk.open(path, 'write')
    expect(await file.size()).toBe(0)
    await file.close()
    expect(await contentOf(disk, path)).toEqual(bytes())
    expect(isMissing(await refusal(disk.open(`${root}/nowhere/made`, 'write')))).toBe(true)
  })

  test.each(['write', 'durable'] as const)('%s: what was written is read, by other handles as well', async (access) => {
    const path = `${root}/${access}`
    const [file, other] = [await disk.open(path, access), await disk.open(path, access)]
    expect(await file.write([bytes(1, 2), bytes(), bytes(3)], 0)).toBe(3)
    expect(await other.write([bytes(9, 8)], 2)).toBe(2)
    expect(await file.size()).toBe(4)
    const got = bytes(0, 0, 0, 0, 7, 7)
    expect(await file.read(got, 1)).toBe(3)
    expect(got).toEqual(bytes(2, 9, 8, 0, 7, 7))
    expect(file.readNow(got.subarray(4), 0)).toBe(2)
    expect(got).toEqual(bytes(2, 9, 8, 0, 1, 2))
    await other.sync()
    await Promise.all([file.close(), other.close()])
    // A second opening leaves what is there.
    await (await disk.open(path, access)).close()
    expect(await contentOf(disk, path)).toEqual(bytes(1, 2, 9, 8))
  })

  test('nothing is read behind the end, and nothing is written of nothing', async () => {
    const file = await disk.open(`${root}/end`, 'write')
    await file.write([bytes(1, 2, 3)], 0)
    expect(await file.read(new Uint8Array(4), 3)).toBe(0)
    expect(await file.read(new Uint8Array(4), 1000)).toBe(0)
    expect(file.readNow(new Uint8Array(4), 1000)).toBe(0)
    expect(await file.read(new Uint8Array(), 0)).toBe(0)
    expect(await file.write([], 10)).toBe(0)
    expect(await file.write([bytes()], 10)).toBe(0)
    expect(await file.size()).toBe(3)
    await file.close()
  })

  test('a gap reads as zeros, and so does what was cut and grew again', async () => {
    const path = `${root}/gap`
    const file = await disk.open(path, 'write')
    await file.write([bytes(1, 2, 3)], 2)
    await file.truncate(3)
    await file.write([bytes(4)], 6)
    await file.sync()
    await file.close()
    expect(await contentOf(disk, path)).toEqual(bytes(0, 0, 1, 0, 0, 0, 4))
  })

  test('many pieces and large ones arrive whole', async () => {
    const path = `${root}/many`
    const whole = noise(1, 300_000)
    const pieces = Array.from({ length: 3000 }, (_, i) => whole.subarray(i * 100, (i + 1) * 100))
    const file = await disk.open(path, 'durable')
    await writeAll(file, pieces, 0)
    await writeAll(file, [whole], whole.length)
    const got = new Uint8Array(whole.length)
    expect(readAllNow(file, got, 0)).toBe(whole.length)
    expect(Buffer.compare(got, whole)).toBe(0)
    expect(await readAll(file, got, whole.length)).toBe(whole.length)
    expect(Buffer.compare(got, whole)).toBe(0)
    await file.close()
  })

  test('writes that are under way together do not disturb each other', async () => {
    const path = `${root}/together`
    const whole = noise(2, 64 * 1000)
    const file = await disk.open(path, 'write')
    const parts = Array.from({ length: 64 }, (_, i) => [i * 1000, whole.subarray(i * 1000, (i + 1) * 1000)] as const)
    await Promise.all(parts.map(([at, part]) => writeAll(file, [part], at)))
    await file.close()
    expect(Buffer.compare(await contentOf(disk, path), whole)).toBe(0)
  })

  test('a file that is only read takes nothing', async () => {
    const path = `${root}/read-only`
    await (await disk.open(path, 'write')).close()
    const file = await disk.open(path, 'read')
    expect(await refusal(file.write([bytes(1)], 0))).toMatchObject({ code: 'EBADF' })
    await file.close()
  })

  test('names come with files and folders, and go with files', async () => {
    const top = `${root}/names`
    expect(await disk.list(top)).toEqual([])
    expect(isMissing(await refusal(disk.syncFolder(top)))).toBe(true)
    await disk.makeFolder(`${top}/a/b`)
    await disk.makeFolder(`${top}/a`)
    await (await disk.open(`${top}/file`, 'write')).close()
    await disk.syncFolder(top)
    expect([...(await disk.list(top))].sort()).toEqual(['a', 'file'])
    expect(await disk.list(`${top}/a`)).toEqual(['b'])
    await disk.remove(`${top}/file`)
    await disk.remove(`${top}/file`)
    expect(await disk.list(top)).toEqual(['a'])
    expect(isMissing(await refusal(disk.open(`${top}/file`, 'read')))).toBe(true)
  })

  test('a file that was removed is there for those who have it open', async () => {
    const path = `${root}/removed`
    const file = await disk.open(path, 'write')
    await file.write([bytes(1, 2)], 0)
    await disk.remove(path)
    const got = new Uint8Array(2)
    expect(await file.read(got, 0)).toBe(2)
    expect(got).toEqual(bytes(1, 2))
    const again = await disk.open(path, 'write')
    expect(await again.size()).toBe(0)
    await Promise.all([file.close(), again.close()])
  })
})
