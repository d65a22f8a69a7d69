/** The clients and the model of the schedules, tried on stores that have no faults, and on such that have one. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../src/backends/memory.ts'
import { McbError } from '../../../src/core/errors.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import type { Read } from '../../../src/core/store.ts'
import { prepareBatch } from '../../../src/core/wire/read-batch.ts'
import { acceptRunMeta } from '../../../src/core/wire/run-meta.ts'
import { Random } from '../../disk/random.ts'
import { runSchedules, seedsOf } from '../../disk/seeds.ts'
import { runMeta } from '../../http/api.ts'
import { World } from './clients.ts'
import { columnsOf } from './content.ts'

const SIZES = { clients: 4, steps: 20, bytes: 4000 }

test('a store in memory violates nothing', async () => {
  let draws = 0
  await runSchedules(seedsOf(20), async (seed) => {
    const store = new MemoryStore()
    const world = new World(new Random(seed))
    await world.work(store, SIZES)
    await world.verify(store)
    await world.work(store, SIZES)
    await world.verify(store)
    draws += world.draws
  })
  expect(draws).toBeGreaterThan(0)
})

/** Faults that a store might have, each seldom enough to be missed by a single look. */
const FAULTS: Readonly<Record<string, (random: Random) => MemoryStore>> = {
  'an append is acknowledged and not kept': (random) =>
    new (class extends MemoryStore {
      override async append(...args: Parameters<MemoryStore['append']>): Promise<number> {
        if (random.chance(0.95)) return super.append(...args)
        const { start, count } = (await prepareBatch(args[2], SCHEMA, DEFAULT_LIMITS))()
        return start + count
      }
    })(),
  'an append that failed is there twice': (random) =>
    new (class extends MemoryStore {
      override async append(...args: Parameters<MemoryStore['append']>): Promise<number> {
        const length = await super.append(...args)
        if (random.chance(0.95)) return length
        const { count } = (await prepareBatch(args[2], SCHEMA, DEFAULT_LIMITS))()
        throw new McbError('draw_gap', 'once more', { length: length - count })
      }
    })(),
  'a bit is another one': (random) =>
    new (class extends MemoryStore {
      override async read(...args: Parameters<MemoryStore['read']>): Promise<Read> {
        const { state, page } = await super.read(...args)
        const stretches = page.stretches.map((stretch) => {
          if (stretch.data === null || stretch.data.length === 0 || random.chance(0.9)) return stretch
          const data = stretch.data.slice()
          const at = random.below(data.length)
          data[at] = (data[at] ?? 0) ^ (1 << random.below(8))
          return { ...stretch, data }
        })
        return { state, page: { ...page, stretches } }
      }
    })(),
  'a run that was removed is there': () =>
    new (class extends MemoryStore {
      override async remove(): Promise<boolean> {
        return true
      }
    })(),
}
const { schema: SCHEMA } = acceptRunMeta(runMeta(columnsOf(1)), 'a', DEFAULT_LIMITS)

test.each(Object.entries(FAULTS))('%s: the model says so', async (_, open) => {
  let found = 0
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed)
    const store = open(random)
    const world = new World(random, { widths: [1] })
    const outcome = await world
      .work(store, SIZES)
      .then(() => world.verify(store))
      .catch((error: unknown) => error)
    if (outcome === undefined) continue
    found++
    expect(outcome).toBeInstanceOf(Error)
  }
  expect(found).toBeGreaterThan(8)
})
