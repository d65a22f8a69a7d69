/**
 * Boundaries of storage: batches around 256 KiB, 1 MiB and 1024 rows, in any order. A storage that keeps recent draws in
 * one form and older ones in another must give the same content wherever the boundaries fall.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chain } from '../../src/core/interfaces.ts'
import { expectSameArray, expectSameDraws, named, randomArray, randomWords } from './arrays.ts'
import { type Column, Content, drawsOf, fillOf, indicesOf, pythonSlice, variableOf } from './columns.ts'
import type { Suite, Topic } from './suite.ts'

const KIB = 1024

const VARIABLES: readonly Column[] = [
  { name: 'scalar', dtype: 'float64', shape: [] },
  { name: 'wide', dtype: 'float64', shape: [100] },
  { name: 'empty', dtype: 'float64', shape: [0] },
  { name: 'ragged', dtype: 'int16', shape: [-1] },
  { name: 'any', dtype: 'float32', shape: null },
  { name: 'word', dtype: 'str', shape: [] },
  { name: 'words', dtype: 'str', shape: [-1] },
  { name: 'no words', dtype: 'str', shape: [0] },
]
const STATS: readonly Column[] = [
  { name: 'lp', dtype: 'float64', shape: [] },
  { name: 'tune', dtype: 'bool', shape: [] },
  { name: 'grad', dtype: 'float64', shape: [50] },
  { name: 'warning', dtype: 'str', shape: [] },
  { name: 'path', dtype: 'float64', shape: [-1] },
]

/** A chain with stats that are missing from some batches, and what it must hold. */
class Written {
  readonly draws: Content
  readonly stats: Content
  length = 0
  private readonly sent: boolean[][] = STATS.map(() => [])
  readonly chain: Chain

  constructor(chain: Chain, seed: number) {
    this.chain = chain
    this.draws = new Content(seed, VARIABLES)
    this.stats = new Content(seed + 1, STATS)
  }

  /** Appends a batch; the bits of `mask` say which stats it has. */
  async append(count: number, mask: number): Promise<void> {
    const start = this.length
    const chosen = STATS.filter((_, i) => (mask >> i) & 1)
    STATS.forEach((_, i) => {
      for (let k = 0; k < count; k++) this.sent[i]?.push(((mask >> i) & 1) === 1)
    })
    this.length = start + count
    const batch = { ...this.draws.batch(start, count), stats: this.stats.columnsOf(start, count, chosen) }
    expect(await this.chain.appendBatch(batch)).toBe(this.length)
    // Every now and then the acknowledgement is lost, and the batch sent again.
    if ((start + count) % 5 === 0) expect(await this.chain.appendBatch(batch)).toBe(this.length)
  }

  stat(column: Column, index: number) {
    const sent = this.sent[STATS.indexOf(column)]?.[index]
    return sent ? this.stats.draw(column, index) : fillOf(column)
  }

  async check(reader: Chain, indices: readonly number[], slice: { start?: number; stop?: number; step?: number }) {
    for (const column of VARIABLES) {
      expectSameDraws(await reader.getDraws(column.name, slice), this.draws.read(column, indices))
    }
    for (const column of STATS) {
      const expected = drawsOf(
        column,
        indices.map((index) => this.stat(column, index)),
      )
      expectSameDraws(await reader.getStats(column.name, slice), expected)
    }
  }
}

async function newWritten(suite: Suite, seed: number): Promise<Written> {
  return new Written(await suite.newChain(VARIABLES.map(variableOf), STATS.map(variableOf)), seed)
}

/** Lengths of batches: mostly tiny, some that fill a tail quickly, some that are large. */
const count = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 3, arbitrary: fc.integer({ min: 5, max: 120 }) },
  { weight: 1, arbitrary: fc.integer({ min: 150, max: 700 }) },
)

export const folds: Topic = {
  name: 'boundaries of storage',
  reads: true,
  define(suite) {
    test('any split into batches reads the same', async () => {
      const batches = fc.array(fc.record({ count, mask: fc.nat({ max: 31 }) }), {
        minLength: 1,
        maxLength: suite.rounds(60, 12),
      })
      const slice = fc.record({
        start: fc.integer({ min: -800, max: 800 }),
        stop: fc.integer({ min: -800, max: 800 }),
        step: fc.integer({ min: 1, max: 30 }),
        down: fc.boolean(),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.nat({ max: 1e6 }),
          batches,
          fc.array(slice, { minLength: 2, maxLength: 4 }),
          async (seed, parts, slices) => {
            const written = await newWritten(suite, seed)
            for (const part of parts) await written.append(part.count, part.mask)
            const reader = await suite.otherChain(written.chain)
            await written.check(reader, indicesOf(0, written.length, 1), {})
            for (const { start, stop, step, down } of slices) {
              const given = { start, stop, step: down ? -step : step }
              await written.check(reader, pythonSlice(written.length, start, stop, given.step), given)
            }
          },
        ),
        { numRuns: suite.rounds(16, 3) },
      )
    })

    test('thousands of tiny batches between large ones', async () => {
      const written = await newWritten(suite, 77)
      const tiny = suite.rounds(1100, 20)
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < tiny; i++) await written.append(1, (i * 7 + round) % 32)
        await written.append(400, round * 21)
        await written.append(3, 31)
      }
      const reader = await suite.otherChain(written.chain)
      await written.check(reader, indicesOf(0, written.length, 1), {})
      await written.check(reader, indicesOf(written.length - 1, Math.ceil(written.length / 11), -11), { step: -11 })
      for (const index of [0, tiny - 1, tiny, tiny + 399, tiny + 400, written.length - 1]) {
        const at = await reader.getStatsAt(index)
        for (const column of STATS) expectSameArray(at.get(column.name), written.stat(column, index))
      }
    })

    describe('batches of 8-byte draws whose bytes meet a boundary', () => {
      const quarter = (256 * KIB) / 8
      const whole = (1024 * KIB) / 8
      const cases = [
        ['around 256 KiB', [quarter - 1, 1, quarter, 1, quarter + 1, 1]],
        ['a tail of exactly 1 MiB', [quarter - 1, quarter - 1, quarter - 1, quarter - 1, 4, 1, 1]],
        ['a tail of one draw more', [quarter - 1, quarter - 1, quarter - 1, quarter - 1, 5, 1, 1]],
        ['around 1 MiB', [whole - 1, whole, whole + 1, 2 * whole, 1]],
        ['large after small', [1, 2 * whole + 3, 1, quarter, 7]],
      ] as const
      test.each(cases)('%s', async (_what, counts) => {
        const chain = await suite.newChain([{ name: 'x', dtype: 'int64' }])
        const all = randomArray(randomWords(88), 'int64', [counts.reduce((a, b) => a + b, 0)])
        if (all.dtype !== 'int64') throw new TypeError('not int64')
        const part = (from: number, to: number) =>
          ({ dtype: 'int64', shape: [to - from], data: all.data.slice(from, to) }) as const
        let length = 0
        for (const count of counts) {
          const draws = new Map([['x', part(length, length + count)]])
          length = await chain.appendBatch({ start: length, count, draws })
        }
        const reader = await suite.otherChain(chain)
        expectSameDraws(await reader.getDraws('x'), part(0, length))
        for (let from = 0, i = 0; i < counts.length; from += counts[i] ?? 0, i++) {
          const start = Math.max(0, from - 2)
          const stop = Math.min(length, from + 2)
          expectSameDraws(await reader.getDraws('x', { start, stop }), part(start, stop))
        }
      })
    })

    test('single draws around 1 MiB and 2 MiB', async () => {
      const mib = (1024 * KIB) / 8
      for (const elements of [mib - 1, mib, mib + 1, 2 * mib, 2 * mib + 1]) {
        const chain = await suite.newChain([
          { name: 'x', dtype: 'float64', shape: [elements] },
          { name: 'r', dtype: 'float64', shape: [-1] },
        ])
        const draws = [0, 1].map((seed) => randomArray(randomWords(seed + elements), 'float64', [elements]))
        for (const [start, draw] of draws.entries()) {
          const x = { ...draw, shape: [1, elements] }
          await chain.appendBatch({
            start,
            count: 1,
            draws: named(['x', x], ['r', [draw]]),
          })
        }
        const at = await chain.getDrawsAt(1)
        for (const name of ['x', 'r'])
          expectSameArray(at.get(name), draws[1] ?? fillOf({ name, dtype: 'float64', shape: [] }))
        expectSameDraws(await chain.getDraws('r', { step: -1 }), draws.toReversed())
      }
    })
  },
}
