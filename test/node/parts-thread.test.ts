/** Large parts of objects, read in a thread: what comes is what was put, or is said not to be. */
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PartsThread } from '../../src/node/reader-thread/parts-thread.ts'
import { packParts, unpackParts } from '../../src/node/reader-thread/protocol.ts'
import { BLOCK_BYTES, sumsOf } from '../../src/objects/checksum.ts'
import { FileObjects, objectFile } from '../../src/objects/file-objects.ts'
import { nodeDisk } from '../../src/objects/node-disk.ts'
import { type Part, type PartReader, PartsHere } from '../../src/objects/parts.ts'
import { Random } from '../disk/random.ts'

const SIZE = 3 * 1024 * 1024 + 777
const BYTES = new Random(1).bytes(SIZE)

let folder: string
let objects: FileObjects
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mcbackend-parts-'))
  objects = new FileObjects(nodeDisk, folder)
  await objects.put('7.1', 0, [BYTES])
  await objects.put('8.1', 0, [BYTES])
})
afterAll(() => {
  objects.close()
  rmSync(folder, { recursive: true, force: true })
})

function part(key: string, at: number, length: number): Part {
  return { key, at, length, sums: sumsOf(BYTES.subarray(at, at + length)) }
}

/** A reader that counts what it is asked for. */
function counted(reader: PartReader): PartReader & { calls: number } {
  return {
    calls: 0,
    read(parts) {
      this.calls++
      return reader.read(parts)
    },
  }
}

test('parts are packed and unpacked', () => {
  const parts = [part('7.1', 0, 5), part('8.1', BLOCK_BYTES, 3 * BLOCK_BYTES + 1), part('8.1', 0, 0)]
  expect(unpackParts(packParts(1, parts))).toEqual(parts)
})

test('large parts are read in the thread, and small ones here', async () => {
  const here = counted(new PartsHere(objects))
  const reader = new PartsThread(here, folder)
  const large = [part('7.1', BLOCK_BYTES, 1024 * 1024), part('8.1', 0, SIZE), part('8.1', 64 * BLOCK_BYTES, 99)]
  const { memory, states } = await reader.read(large)
  expect(here.calls).toBe(0)
  expect(states).toEqual(['intact', 'intact', 'intact'])
  const truth = Buffer.concat(large.map(({ at, length }) => BYTES.subarray(at, at + length)))
  expect(Buffer.compare(memory, truth)).toBe(0)
  const small = await reader.read([part('7.1', 0, 100)])
  expect(here.calls).toBe(1)
  expect(Buffer.compare(small.memory, BYTES.subarray(0, 100))).toBe(0)
  await reader.close()
})

test('many at once are read by both, and all are right', async () => {
  const here = counted(new PartsHere(objects))
  const reader = new PartsThread(here, folder)
  const reads = Array.from({ length: 24 }, (_, i) => {
    const at = (i % 5) * BLOCK_BYTES
    return reader.read([part('7.1', at, 2 * 1024 * 1024)]).then(({ memory, states }) => {
      expect(states).toEqual(['intact'])
      expect(Buffer.compare(memory, BYTES.subarray(at, at + 2 * 1024 * 1024))).toBe(0)
    })
  })
  await Promise.all(reads)
  expect(here.calls).toBeGreaterThan(0)
  expect(here.calls).toBeLessThan(24)
  await reader.close()
})

test('a flipped bit, an end that is missing, and an object that is', async () => {
  const reader = new PartsThread(new PartsHere(objects), folder)
  await objects.put('9.1', 0, [BYTES])
  const path = join(folder, objectFile('9.1'))
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, 1_000_000)
  byte[0] = (byte[0] ?? 0) ^ 4
  writeSync(file, byte, 0, 1, 1_000_000)
  const asked = [
    part('9.1', 0, 512 * 1024),
    part('9.1', 0, SIZE),
    { ...part('7.1', 2 * 1024 * 1024, SIZE - 2 * 1024 * 1024), length: 4 * 1024 * 1024 },
    part('99.1', 0, 10),
  ]
  const { states } = await reader.read(asked)
  expect(states).toEqual(['intact', 'damaged', 'short', 'missing'])
  await reader.close()
})

test('a thread that ends leaves its work to this one', async () => {
  const here = counted(new PartsHere(objects))
  const reader = new PartsThread(here, folder)
  const reads = [0, 1, 2].map((i) => reader.read([part('7.1', i * BLOCK_BYTES, 2 * 1024 * 1024)]))
  await reader.close()
  for (const [i, { memory, states }] of (await Promise.all(reads)).entries()) {
    expect(states).toEqual(['intact'])
    const at = i * BLOCK_BYTES
    expect(Buffer.compare(memory, BYTES.subarray(at, at + 2 * 1024 * 1024))).toBe(0)
  }
  expect(here.calls).toBe(3)
  const again = await reader.read([part('7.1', 0, 2 * 1024 * 1024)])
  expect(again.states).toEqual(['intact'])
  await reader.close()
})
