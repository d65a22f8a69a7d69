/** Jobs of a workshop: what becomes of one for which nobody waits any more. */
import { expect, test } from 'vitest'
import type { RigidNumbers } from '../../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { type Bench, LocalBench } from '../../../src/core/summary/bench.ts'
import type { DrawSource } from '../../../src/core/summary/source.ts'
import { Stock } from '../../../src/core/summary/stock.ts'
import { Workshop } from '../../../src/core/summary/workshop.ts'
import { encodeRunMeta, parseRunMeta } from '../../../src/core/wire/run-meta.ts'

const ELEMENTS = 6
const DRAWS = 20
const variables = [{ name: 'x', dtype: 'float64', shape: [ELEMENTS] }]
const { meta, schema } = parseRunMeta(encodeRunMeta({ rid: 'r', variables }), DEFAULT_LIMITS)

function spec(): RigidNumbers {
  const [column] = schema.columns
  if (column?.kind !== 'rigid-numbers') throw new Error('x is a column of numbers')
  return column
}

function newSource() {
  const reads: (readonly (readonly [number, number])[])[] = []
  const source: DrawSource = {
    rid: 'r',
    registration: 'one',
    meta,
    schema,
    states: async () => [{ chain: 0, length: DRAWS, updatedAt: 0 }],
    async *read(_chain, { elements, count }) {
      reads.push(elements)
      const all = elements.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
      const values = Array.from({ length: count }, (_, draw) => all.map((element) => Math.sin(draw * draw + element)))
      yield new Uint8Array(Float64Array.from(values.flat()).buffer)
    },
  }
  return { source, reads }
}

const newStock = () => {
  const chains = [{ chain: 0, first: 0, draws: DRAWS, warmup: 0 }]
  return new Stock('key', { chains, leftOut: [], draws: DRAWS, updatedAt: 0 }, 'posterior')
}

/** A workshop of blocks of two elements, whose bench waits for the gate. */
function newWorkshop(gate: Promise<void>, unattended: 'go on' | 'stop') {
  const local = new LocalBench()
  const bench: Bench = {
    begin: (shape) => {
      const work = local.begin(shape)
      return { ...work, figures: (plan) => gate.then(() => work.figures(plan)) }
    },
  }
  return new Workshop(bench, { blockBytes: 2 * DRAWS * 8, blocks: 1, unattended })
}

test('is given up behind its block, whose figures stay', async () => {
  const gate = Promise.withResolvers<void>()
  const workshop = newWorkshop(gate.promise, 'stop')
  const { source, reads } = newSource()
  const stock = newStock()
  const order = {
    owner: source,
    source,
    stock,
    stretches: [{ spec: spec(), from: 0, to: ELEMENTS }],
    figures: ['mean'] as const,
  }
  const job = workshop.start(order)
  workshop.leave(job)
  gate.resolve()
  await job.ended
  expect([job.isGivenUp, job.progress]).toEqual([true, 1 / 3])
  expect(reads).toEqual([[[0, 2]]])
  const next = workshop.start(order)
  expect(next.progress).toBe(1 / 3)
  await next.ended
  expect(reads).toEqual([[[0, 2]], [[2, 4]], [[4, 6]]])
  expect([next.progress, stock.missing({ spec: spec(), from: 0, to: ELEMENTS }, ['mean'])]).toEqual([1, []])
})

test('goes on where that is the way of the workshop', async () => {
  const workshop = newWorkshop(Promise.resolve(), 'go on')
  const { source, reads } = newSource()
  const stretches = [{ spec: spec(), from: 0, to: ELEMENTS }]
  const job = workshop.start({ owner: source, source, stock: newStock(), stretches, figures: ['mean'] })
  workshop.leave(job)
  await job.ended
  expect(reads).toHaveLength(3)
})

test('elements that are apart are read together, and have the figures that they have alone', async () => {
  const workshop = new Workshop(new LocalBench(), { blockBytes: 3 * DRAWS * 8 })
  const { source, reads } = newSource()
  const stock = newStock()
  const stretches = [5, 0, 2, 3].sort().map((from) => ({ spec: spec(), from, to: from + 1 }))
  const order = { owner: source, source, figures: ['mean', 'sd'] as const }
  const job = workshop.start({ ...order, stock, stretches })
  await job.ended
  expect(reads).toEqual([
    [
      [0, 1],
      [2, 3],
      [3, 4],
    ],
    [[5, 6]],
  ])
  expect(job.progress).toBe(1)
  const alone = newStock()
  for (const stretch of stretches) await workshop.start({ ...order, stock: alone, stretches: [stretch] }).ended
  for (let element = 0; element < ELEMENTS; element++) {
    for (const figure of order.figures) {
      expect(stock.at(spec(), element, figure)).toEqual(alone.at(spec(), element, figure))
    }
  }
  expect([1, 4].map((element) => stock.at(spec(), element, 'mean'))).toEqual(['pending', 'pending'])
})

test('a block has its place until it is computed, or has failed', async () => {
  let taken = 0
  let most = 0
  const admit = async () => {
    most = Math.max(most, ++taken)
    return () => void taken--
  }
  const workshop = new Workshop(new LocalBench(), { blockBytes: 2 * DRAWS * 8, blocks: 2, admit })
  const { source } = newSource()
  const stretches = [{ spec: spec(), from: 0, to: ELEMENTS }]
  const order = { owner: source, source, stock: newStock(), stretches, figures: ['mean'] as const }
  await workshop.start(order).ended
  expect([taken, most]).toEqual([0, 2])
  const broken: DrawSource = {
    ...source,
    read: () => {
      throw new Error('gone')
    },
  }
  await expect(workshop.start({ ...order, stock: newStock(), source: broken }).ended).rejects.toThrow('gone')
  expect(taken).toBe(0)
})
