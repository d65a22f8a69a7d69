/** Parts of chunks on D1, where bytes are base64: three of them to four characters, and no block of a checksum ends at one. */
import { beforeAll, expect, test } from 'vitest'
import type { StoreChain } from '../../src/runs/backend.ts'
import { floats } from '../conformance/arrays.ts'
import { openBackend } from './local.ts'

const LENGTH = 30_000

let chain: StoreChain
beforeAll(async () => {
  const variables = [
    { name: 'x', dtype: 'float64' },
    { name: 'odd', dtype: 'uint8', shape: [5] },
  ]
  chain = await (await openBackend().initRun({ rid: 'parts', variables })).initChain(0)
  const x = floats(
    [LENGTH],
    Array.from({ length: LENGTH }, (_, i) => i),
  )
  const odd = {
    dtype: 'uint8',
    shape: [LENGTH, 5],
    data: Uint8Array.from({ length: 5 * LENGTH }, (_, i) => i % 251),
  } as const
  await chain.appendBatch({
    start: 0,
    count: LENGTH,
    draws: new Map([
      ['x', x],
      ['odd', odd],
    ]),
  })
})

test('narrow slices at any place, across the ends of blocks and of chunks', async () => {
  for (let start = 0; start < LENGTH; start += 1021) {
    for (const count of [1, 7, 2100]) {
      const stop = Math.min(LENGTH, start + count)
      const indices = Array.from({ length: stop - start }, (_, i) => start + i)
      expect(await chain.getDraws('x', { start, stop })).toMatchObject({ data: Float64Array.from(indices) })
      const odd = indices.flatMap((i) => [0, 1, 2, 3, 4].map((k) => (5 * i + k) % 251))
      expect(await chain.getDraws('odd', { start, stop })).toMatchObject({ data: Uint8Array.from(odd) })
    }
  }
})
