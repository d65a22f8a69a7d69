/** Random schedules of all that happens to a run: whatever its object and the bucket meet, its draws are what was sent. */
import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, expect, test } from 'vitest'
import type { NdArray } from '../../../src/core/draws/ndarray.ts'
import { isMcbError } from '../../../src/core/errors.ts'
import type { DrawBatch } from '../../../src/core/interfaces.ts'
import { R2Objects } from '../../../src/objects/r2-objects.ts'
import type { StoreRun } from '../../../src/runs/backend.ts'
import { expectSameDraws, randomWords } from '../../conformance/arrays.ts'
import { type Column, Content, drawsOf, fillOf, variableOf } from '../../conformance/columns.ts'
import { objectOf, quiet } from '../objects.ts'
import { breakBucket, keysOf, open, patiently, placesOf, rest, ring } from './bucket.ts'

const DRAWS: readonly Column[] = [
  { name: 'wide', dtype: 'float64', shape: [1500] },
  { name: 'x', dtype: 'float64', shape: [] },
  { name: 'ragged', dtype: 'float32', shape: [-1, 400] },
  { name: 'word', dtype: 'str', shape: [3] },
  { name: 'empty', dtype: 'float64', shape: [0] },
]
const STATS: readonly Column[] = [
  { name: 'lp', dtype: 'float64', shape: [200] },
  { name: 'levels', dtype: 'int16', shape: [-1] },
]
const STEPS = 120
const CHAINS = 2

afterAll(quiet)

/** A chain as it must be: in which of its draws the stats are absent. */
type Model = boolean[]

class Schedule {
  private readonly word: () => number
  private readonly rid: string
  private content: Content
  private readonly models: Model[] = []
  private run: StoreRun | undefined
  private seed: number
  /** Bytes in the bucket that rows have named, at most. */
  private far = 0

  constructor(seed: number) {
    this.seed = seed
    this.word = randomWords(seed)
    this.rid = `schedule-${seed}`
    this.content = new Content(seed, [...DRAWS, ...STATS])
  }

  async go(): Promise<void> {
    await this.register()
    for (let i = 0; i < STEPS; i++) {
      await this.step()
      this.far = Math.max(this.far, (await placesOf(this.rid)).far)
    }
    await evictDurableObject(objectOf(this.rid))
    for (let chain = 0; chain < CHAINS; chain++) await this.read(chain, true)
    expect(this.far).toBeGreaterThan(0)
    await open().deleteRun(this.rid)
    await ring(this.rid)
    await expect.poll(() => keysOf(this.rid)).toEqual([])
  }

  private below(n: number): number {
    return (this.word() >>> 8) % n
  }

  private async step(): Promise<void> {
    const kind = this.below(200)
    const chain = this.below(CHAINS)
    if (kind < 100) await this.append(chain, 1 + this.below(kind < 50 ? 6 : 40))
    else if (kind < 120) await this.repeat(chain)
    else if (kind < 130) await this.contradict(chain)
    else if (kind < 145) await this.read(chain, false)
    else if (kind < 155) await ring(this.rid)
    else if (kind < 165) await rest(this.rid)
    else if (kind < 175) await evictDurableObject(objectOf(this.rid))
    else if (kind < 198) await this.disturb()
    else await this.registerAgain()
  }

  private async register(): Promise<void> {
    const run = await open().initRun({
      rid: this.rid,
      variables: DRAWS.map(variableOf),
      sampleStats: STATS.map(variableOf),
    })
    this.run = run
    for (let chain = 0; chain < CHAINS; chain++) {
      await run.initChain(chain)
      this.models[chain] = []
    }
  }

  private async registerAgain(): Promise<void> {
    await open().deleteRun(this.rid)
    this.content = new Content(++this.seed, [...DRAWS, ...STATS])
    await patiently(() => this.register())
  }

  private model(chain: number): Model {
    return this.models[chain] ?? []
  }

  /** Draws from `start` on as they are stored: what was never sent is fill. */
  private batch(model: Model, start: number, count: number): DrawBatch {
    const indices = Array.from({ length: count }, (_, i) => start + i)
    const of = (column: Column, draw: (index: number) => NdArray) =>
      [column.name, drawsOf(column, indices.map(draw))] as const
    const sent = (column: Column) => (index: number) => this.content.draw(column, index)
    const stat = (column: Column) => (index: number) => (model[index] ? fillOf(column) : sent(column)(index))
    return {
      start,
      count,
      draws: new Map(DRAWS.map((column) => of(column, sent(column)))),
      stats: new Map(STATS.map((column) => of(column, stat(column)))),
    }
  }

  private async send(chain: number, batch: DrawBatch): Promise<number> {
    const { run } = this
    if (run === undefined) throw new Error('nothing is registered')
    return patiently(async () => (await run.initChain(chain)).appendBatch(batch))
  }

  /** A batch, which may begin with draws that are stored. */
  private async append(chain: number, count: number): Promise<void> {
    const model = this.model(chain)
    const start = Math.max(0, model.length - (this.below(4) === 0 ? this.below(50) : 0))
    const isAbsent = this.below(3) === 0 && start === model.length
    const end = Math.max(model.length + 1, start + count)
    const next = [...model, ...Array.from({ length: end - model.length }, () => isAbsent)]
    const { stats, ...draws } = this.batch(next, start, end - start)
    expect(await this.send(chain, isAbsent || stats === undefined ? draws : { ...draws, stats })).toBe(end)
    this.models[chain] = next
  }

  private async repeat(chain: number): Promise<void> {
    const model = this.model(chain)
    if (model.length === 0) return
    const start = this.below(model.length)
    const count = 1 + this.below(Math.min(80, model.length - start))
    expect(await this.send(chain, this.batch(model, start, count))).toBe(model.length)
  }

  /** A batch with one value that is not what is stored. */
  private async contradict(chain: number): Promise<void> {
    const model = this.model(chain)
    if (model.length === 0) return
    const start = this.below(model.length)
    const batch = this.batch(model, start, model.length - start + this.below(3))
    const at = this.below(model.length - start)
    const wide = batch.draws.get('wide')
    if (wide === undefined || !('data' in wide) || !(wide.data instanceof Float64Array)) throw new Error('no draws')
    const bits = new Uint32Array(wide.data.buffer, wide.data.byteOffset)
    const place = 2 * (at * 1500 + this.below(1500))
    bits[place] = (bits[place] ?? 0) ^ 1
    const error = await this.send(chain, batch).then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(isMcbError(error, 'draw_conflict'), String(error)).toBe(true)
  }

  /** Some columns, or all, of a slice. */
  private async read(chain: number, isWhole: boolean): Promise<void> {
    const model = this.model(chain)
    const stored = await patiently(async () => (await open().getRun(this.rid))?.getChain(chain))
    expect(await stored?.length()).toBe(model.length)
    const steps = [1, 2, 7, 40]
    const step = isWhole ? 1 : (steps[this.below(4)] ?? 1)
    const start = isWhole || model.length === 0 ? 0 : this.below(model.length)
    const indices: number[] = []
    for (let i = start; i < model.length; i += step) indices.push(i)
    for (const column of DRAWS) {
      if (!isWhole && this.below(2) === 0) continue
      const draws = await patiently(async () => stored?.getDraws(column.name, { start, step }))
      if (draws === undefined) throw new Error('no draws came')
      expectSameDraws(draws, this.content.read(column, indices))
    }
    for (const column of STATS) {
      if (!isWhole && this.below(2) === 0) continue
      const stats = await patiently(async () => stored?.getStats(column.name, { start, step }))
      if (stats === undefined) throw new Error('no stats came')
      const values = indices.map((i) => (model[i] ? fillOf(column) : this.content.draw(column, i)))
      expectSameDraws(stats, drawsOf(column, values))
    }
  }

  /** The bucket fails, loses answers, or is slow, until the object's next life or disturbance. */
  private async disturb(): Promise<void> {
    const bucket = new R2Objects(env.DRAWS)
    const away = () => Promise.reject(new Error('the bucket is away'))
    const faults = [
      { put: away },
      {
        put: async (...args: Parameters<R2Objects['put']>) => {
          await bucket.put(...args)
          throw new Error('the answer was lost')
        },
      },
      {
        put: async (...args: Parameters<R2Objects['put']>) => {
          await new Promise((resolve) => setTimeout(resolve, 200))
          await bucket.put(...args)
        },
      },
      {},
    ]
    const fault = faults[this.below(4)] ?? {}
    await breakBucket(this.rid, fault)
    // A bucket that fails for good would fill the object.
    setTimeout(() => void breakBucket(this.rid, { put: bucket.put.bind(bucket) }).catch(() => undefined), 300)
  }
}

test.each([1, 2, 3])('schedule %i', async (seed) => {
  await new Schedule(seed * 1000).go()
})
