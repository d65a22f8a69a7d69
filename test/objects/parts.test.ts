/** Parts of objects that are read together: what comes is what was put, or is said not to be. */
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BLOCK_BYTES, sumsOf } from '../../src/objects/checksum.ts'
import { FileObjects, objectFile } from '../../src/objects/file-objects.ts'
import { nodeDisk } from '../../src/objects/node-disk.ts'
import { type Part, readParts } from '../../src/objects/parts.ts'
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

test('parts are read one behind the other', async () => {
  const parts = [part('7.1', BLOCK_BYTES, 1024 * 1024), part('8.1', 0, SIZE), part('8.1', 64 * BLOCK_BYTES, 99)]
  const { memory, states } = await readParts(objects, parts)
  expect(states).toEqual(['intact', 'intact', 'intact'])
  const truth = Buffer.concat(parts.map(({ at, length }) => BYTES.subarray(at, at + length)))
  expect(Buffer.compare(memory, truth)).toBe(0)
})

test('a flipped bit, an end that is missing, and an object that is', async () => {
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
  const { states } = await readParts(objects, asked)
  expect(states).toEqual(['intact', 'damaged', 'short', 'missing'])
})
