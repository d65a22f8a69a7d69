/** Batches that were refused and are on the disk all the same: what follows them decides, and no start takes them for damage. */
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Store } from '../../../src/core/store.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import { Random } from '../../disk/random.ts'
import { drawBatch, runMeta } from '../../http/api.ts'
import { Machine, serverTime } from './machine.ts'

serverTime()

const { bytes: META } = acceptRunMeta(
  runMeta({ variables: [{ name: 'x', dtype: 'uint8', shape: [-1] }] }),
  'r',
  DEFAULT_LIMITS,
)

/** Draws of so many bytes each, all of this value. */
function batch(start: number, count: number, bytes: number, value: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(count * bytes).fill(value)
  const shapes = Array.from({ length: count }, () => [1, bytes]).flat()
  return drawBatch({ start, count, draws: [{ name: 'x', dtype: 'uint8', data, shapes }] })
}

async function lengthOf(store: Store): Promise<number> {
  const found = await store.find('r')
  const [chain] = await store.chains(found?.registration ?? '')
  return chain?.length ?? 0
}

test('a large batch of fewer draws in the place of a refused one is not mistaken for damage', async () => {
  let left = 0
  for (let seed = 0; seed < 30; seed++) {
    const machine = new Machine(new Random(seed), () => {})
    const store = await machine.start()
    const registered = await store.register({ rid: 'r', meta: META, variables: 1, sampleStats: 0, terms: [] })
    await store.createChain(registered.registration, 0)
    const append = (body: Uint8Array<ArrayBuffer>) => store.append(registered.registration, 0, body)
    expect(await append(batch(0, 3, 10, 1))).toBe(3)
    machine.disk.faults.plan({ operation: 'write', path: 'journal' })
    await expect(append(batch(3, 10, 10, 2))).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await append(batch(3, 5, 100_000, 3))).toBe(8)
    await machine.end('kill')
    const again = await machine.start()
    expect(await lengthOf(again)).toBe(8)
    expect(await again.append(registered.registration, 0, batch(8, 1, 10, 4))).toBe(9)
    await machine.end('kill')
    expect(await lengthOf(await machine.start())).toBe(9)
    left += machine.disk.bytesOf('/data/journal/00001.journal').length > 400 ? 1 : 0
    await machine.close()
  }
  expect(left).toBeGreaterThan(0)
})
