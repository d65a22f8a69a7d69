/** Objects as files: what was put is there after a power cut, whatever failed before. */
import { describe, expect, it } from 'vitest'
import { FileObjects } from '../../src/objects/file-objects.ts'
import { FaultyDisk } from '../disk/faulty-disk.ts'
import { Random } from '../disk/random.ts'

const FOLDER = '/data/objects'

async function listed(objects: FileObjects): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for await (const { key, size } of objects.list()) sizes[key] = size
  return sizes
}

describe('an object', () => {
  it('grows piece by piece, is read in parts, and goes', async () => {
    const disk = new FaultyDisk({ seed: 1, folders: ['/data'] })
    const objects = new FileObjects(disk, FOLDER)
    const [first, second] = [Buffer.from('abc'), Buffer.from('defgh')]
    await objects.put('7.1', 0, [first])
    await objects.put('7.1', 3, [second, first])
    await objects.put('263.1', 0, [second])
    expect(await listed(objects)).toEqual({ '7.1': 11, '263.1': 5 })
    const bytes = new Uint8Array(4)
    expect(await objects.get('7.1', 2, bytes)).toBe(4)
    expect(Buffer.from(bytes).toString()).toBe('cdef')
    expect(await objects.get('7.1', 9, new Uint8Array(100))).toBe(2)
    expect(await objects.get('7.2', 0, bytes)).toBeUndefined()
    await objects.delete(['7.1', '9.9'])
    expect(await listed(objects)).toEqual({ '263.1': 5 })
    objects.close()
  })

  it('is there after a power cut as far as it was put, in spite of failures', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed)
      let disk = new FaultyDisk({ seed, folders: ['/data'] })
      const there = new Map<string, Uint8Array>()
      for (let life = 0; life < 3; life++) {
        const objects = new FileObjects(disk, FOLDER)
        disk.faults.chances = {
          shortWrite: 0.2,
          fail: { write: 0.1, sync: 0.1, open: 0.1, syncFolder: 0.1, makeFolder: 0.1 },
        }
        for (let put = random.between(1, 8); put > 0; put--) {
          const key = `${random.between(1, 3)}.1`
          const before = there.get(key) ?? new Uint8Array()
          const bytes = random.bytes(random.between(1, 3000))
          const isThere = await objects.put(key, before.length, [bytes]).then(
            () => true,
            (error) => expect(error).toHaveProperty('code', 'storage_unavailable'),
          )
          if (isThere === true) there.set(key, Buffer.concat([before, bytes]))
        }
        objects.close()
        disk = random.chance(0.7) ? disk.powerCut() : disk.killProcess()
        const reader = new FileObjects(disk, FOLDER)
        for (const [key, bytes] of there) {
          const read = new Uint8Array(bytes.length)
          expect(await reader.get(key, 0, read)).toBe(bytes.length)
          expect(Buffer.compare(read, bytes), `seed ${seed}, ${key}`).toBe(0)
        }
        reader.close()
      }
    }
  })
})
