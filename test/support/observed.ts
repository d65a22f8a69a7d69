/** The observer of a store is told of new draws alone, with the bytes of the batch that brought them. */
import { expect } from 'vitest'
import type { Store, StoreObserver } from '../../src/core/store.ts'
import { column, drawBatch, runMeta } from '../http/api.ts'

/** Remembers all that it is told. */
export class Told implements StoreObserver {
  readonly draws: number[] = []
  readonly bytes: number[] = []

  appended(draws: number, bytes: number): void {
    this.draws.push(draws)
    this.bytes.push(bytes)
  }
}

const batch = (start: number, count: number) =>
  drawBatch({ start, count, draws: [column('x', ...Array.from({ length: count }, (_, i) => start + i))] })

/** Draws and bytes that `writeObserved` brings, batch by batch. */
export const BROUGHT = {
  draws: [10, 5, 4],
  bytes: [batch(0, 10).length, batch(5, 10).length, batch(15, 4).length],
}

export async function expectObserved(store: Store, told: Told): Promise<void> {
  await writeObserved(store)
  expect(told).toEqual(BROUGHT)
}

/** Five commits on SQLite: a registration, a chain, and the three appends that bring something. */
export async function writeObserved(store: Store): Promise<void> {
  const meta = runMeta({ rid: 'observed', variables: [{ name: 'x', dtype: 'float64' }] })
  const { registration } = await store.register({ rid: 'observed', meta, variables: 1, sampleStats: 0, terms: [] })
  await store.createChain(registration, 0)
  const append = (start: number, count: number) => store.append(registration, 0, batch(start, count))
  expect(await append(0, 10)).toBe(10)
  // A retry, and one whose beginning is there.
  expect(await append(0, 10)).toBe(10)
  expect(await append(5, 10)).toBe(15)
  await expect(append(20, 1)).rejects.toMatchObject({ code: 'draw_gap' })
  await expect(store.append('none', 0, batch(0, 1))).rejects.toMatchObject({ code: 'run_not_found' })
  // Two that race for the same draws, the same in both: one of them brings them.
  expect(await Promise.all([append(15, 4), append(15, 4)])).toEqual([19, 19])
}
