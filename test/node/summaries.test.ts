/** Figures that a thread computes: the same as here, and out of the way of appends. */
import { afterEach, describe, expect, test } from 'vitest'
import { figureOf, type Plan } from '../../src/core/diagnostics/figures.ts'
import { COLUMNS } from '../../src/core/diagnostics/summary-columns.ts'
import { type Bench, LocalBench } from '../../src/core/summary/bench.ts'
import { Rests } from '../../src/core/summary/rests.ts'
import { ThreadBench } from '../../src/node/diagnostics-thread/bench.ts'
import { Tally } from '../../src/node/tally.ts'

const SHAPE = { elements: 3, chains: 2, draws: 500 }
const PLAN: Plan = {
  convention: 'posterior',
  figures: COLUMNS.map((column) => figureOf(column, { kind: 'hdi', prob: 0.9 })),
}

/** Draws of a chain, element beside element. */
function drawsOf(chain: number, from: number, to: number): Uint8Array<ArrayBuffer> {
  const values = Float64Array.from({ length: 3 * (to - from) }, (_, i) => Math.sin((from * 3 + i) ** 2 + chain))
  return new Uint8Array(values.buffer)
}

async function figuresOf(bench: Bench) {
  const work = bench.begin(SHAPE)
  for (const chain of [0, 1]) {
    work.put({ chain, first: 0, from: 0, elements: 3 }, drawsOf(chain, 0, 200), 'float64')
    // A view on memory that others use as well.
    const shared = new Uint8Array(16 + 300 * 24)
    shared.set(drawsOf(chain, 200, 500), 16)
    work.put({ chain, first: 200, from: 0, elements: 3 }, shared.subarray(16), 'float64')
    expect(shared.length).toBe(16 + 300 * 24)
  }
  const table = await work.figures(PLAN)
  return [...table].map(([figure, column]) => ({ figure, values: [0, 1, 2].map((row) => column.at(row)) }))
}

describe('a thread that computes figures', () => {
  const benches: ThreadBench[] = []
  const newBench = () => {
    const bench = new ThreadBench(new Tally())
    benches.push(bench)
    return bench
  }
  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.close()
  })

  test('gives the same as computing here', async () => {
    const bench = newBench()
    const [first, second] = await Promise.all([figuresOf(bench), figuresOf(bench)])
    const here = await figuresOf(new LocalBench())
    expect(first).toEqual(here)
    expect(second).toEqual(here)
    expect(here.flatMap(({ values }) => values).filter((value) => typeof value === 'number')).toHaveLength(36)
  })

  test('that ends fails its work, and the next work has another one', async () => {
    const bench = newBench()
    const work = bench.begin({ elements: 2000, chains: 4, draws: 1000 })
    const figures = work.figures(PLAN)
    const failed = expect(figures).rejects.toMatchObject({ code: 'storage_unavailable' })
    await bench.close()
    await failed
    expect(await figuresOf(bench)).toEqual(await figuresOf(new LocalBench()))
  })
})

test('rests last three times as long as the work, while draws are stored', () => {
  const tally = new Tally()
  let now = 0
  const rests = new Rests(
    () => tally.draws,
    () => now,
  )
  expect(rests.after(10)).toBe(0)
  tally.appended(1, 100)
  expect(rests.after(10)).toBe(30)
  now = 900
  expect([rests.after(5), rests.after(1000)]).toEqual([15, 100])
  now = 1100
  expect(rests.after(5)).toBe(0)
  tally.appended(1, 100)
  now = 2100
  expect(rests.after(5)).toBe(0)
  tally.appended(1, 100)
  now = 2200
  expect(rests.after(5)).toBe(15)
})
