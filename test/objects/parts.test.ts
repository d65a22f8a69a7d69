/** Parts of objects that are read together: what comes is what was put, or is said not to be. */
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BLOCK_BYTES, sumsOf } from '../../src/objects/checksum.ts'
import { FileObjects, objectFile } from '../../src/objects/file-objects.ts'
import { nodeDisk } from '../../src/objects/node-disk.ts'
import type { Objects } from '../../src/objects/objects.ts'
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

/** The same objects where each request is dear; it tells of the requests. */
function dear(asked: string[]): Objects {
  let underWay = 0
  return {
    together: { gap: 64 * 1024, most: 1024 * 1024, atOnce: 2 },
    put: (...args) => objects.put(...args),
    delete: (keys) => objects.delete(keys),
    list: (prefix) => objects.list(prefix),
    get: async (key, at, into, came) => {
      underWay++
      asked.push(`${key} ${at} ${into.length} ${underWay}`)
      await new Promise(setImmediate)
      const got = await objects.get(key, at, into, came)
      underWay--
      return got
    },
  }
}

test('where a request is dear, parts that lie close together are read in one, and few at a time', async () => {
  const K = 1024
  const parts = [
    part('7.1', 512 * K, 16 * K),
    part('8.1', 0, 16 * K),
    part('7.1', 0, 256 * K),
    part('7.1', 256 * K, 128 * K),
    // Behind a gap that is just small enough, and behind one that is not.
    part('7.1', 448 * K, 64 * K),
    part('7.1', 2 * K * K, 16 * K),
    // Within another one, and more than may be read in one.
    part('8.1', 4 * 16 * K, 16 * K),
    part('8.1', 16 * K, 2 * K * K),
  ]
  const asked: string[] = []
  const { memory, states } = await readParts(dear(asked), parts)
  expect(states).toEqual(parts.map(() => 'intact'))
  const truth = Buffer.concat(parts.map(({ at, length }) => BYTES.subarray(at, at + length)))
  expect(Buffer.compare(memory, truth)).toBe(0)
  expect(asked.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
    `7.1 0 ${528 * K}`,
    `7.1 ${2 * K * K} ${16 * K}`,
    `8.1 0 ${16 * K}`,
    `8.1 ${16 * K} ${2 * K * K}`,
    `8.1 ${4 * 16 * K} ${16 * K}`,
  ])
  expect(Math.max(...asked.map((line) => Number(line.split(' ')[3])))).toBe(2)
})

test('of parts that are read in one, each is judged for itself', async () => {
  const flipped = { ...part('7.1', 0, BLOCK_BYTES), sums: sumsOf(BYTES.subarray(1, 100)) }
  const [end, missing] = [part('7.1', SIZE - 100, 100), { ...part('7.1', SIZE - 50, 50), length: 60 }]
  const parts = [flipped, part('7.1', BLOCK_BYTES, 99), end, missing, part('99.1', 0, 5), part('99.1', 5, 5)]
  const { states } = await readParts(dear([]), parts)
  expect(states).toEqual(['damaged', 'intact', 'intact', 'short', 'missing', 'missing'])
})
