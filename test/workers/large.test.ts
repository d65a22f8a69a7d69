/** Draws that are larger than a message between a Worker and an object may be (32 MiB). */
import { afterAll, expect, test } from 'vitest'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openObjects, quiet } from './objects.ts'

afterAll(quiet)

const MIB = 1024 * 1024
const backend = new StoreBackend(openObjects())

/** Bytes that repeat nowhere near a boundary. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const words = Uint32Array.from({ length: length / 4 }, (_, i) => Math.imul(i, 2654435761))
  return new Uint8Array(words.buffer)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

test('a batch of 40 MiB, and a single draw of 40 MiB of a varying shape', async () => {
  const run = await backend.initRun({
    rid: 'large',
    variables: [
      { name: 'rigid', dtype: 'uint8', shape: [MIB] },
      { name: 'ragged', dtype: 'uint8', shape: [-1] },
    ],
  })
  const bytes = pattern(40 * MIB)
  const empty = { dtype: 'uint8', shape: [0], data: new Uint8Array() } as const
  const many = await run.initChain(0)
  await many.appendBatch({
    start: 0,
    count: 40,
    draws: new Map<string, never>([
      ['rigid', { dtype: 'uint8', shape: [40, MIB], data: bytes } as never],
      ['ragged', Array.from({ length: 40 }, () => empty) as never],
    ]),
  })
  const rigid = await many.getDraws('rigid')
  if (!('data' in rigid) || !(rigid.data instanceof Uint8Array)) throw new Error('not an array of bytes')
  expect(sameBytes(rigid.data, bytes)).toBe(true)

  const one = await run.initChain(1)
  await one.appendBatch({
    start: 0,
    count: 1,
    draws: new Map<string, never>([
      ['rigid', { dtype: 'uint8', shape: [1, MIB], data: bytes.slice(0, MIB) } as never],
      ['ragged', [{ dtype: 'uint8', shape: [bytes.length], data: bytes }] as never],
    ]),
  })
  const at = await one.getDrawsAt(0, ['ragged'])
  const ragged = at.get('ragged')?.data
  if (!(ragged instanceof Uint8Array)) throw new Error('not an array of bytes')
  expect(sameBytes(ragged, bytes)).toBe(true)
})
