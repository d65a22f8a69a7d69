/** A slice of draws, taken from blocks and pages, against the same of a list. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildSchema } from '../../src/core/draws/columns.ts'
import type { Block } from '../../src/core/draws/segment.ts'
import { resolveSlice, sliceOf, subSlice } from '../../src/core/draws/slice.ts'
import { takeBlocks } from '../../src/core/draws/take.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { pythonSlice } from '../conformance/columns.ts'

const bound = fc.option(fc.integer({ min: -70, max: 70 }), { nil: undefined })
const step = fc.integer({ min: -70, max: 70 }).filter((n) => n !== 0)
const counts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 })

const { columns } = buildSchema([{ name: 'x', dtype: 'uint8' }], [], DEFAULT_LIMITS)
const [spec] = columns

/** Draw i is i; every third block was never sent. */
function blocksOf(sizes: readonly number[]): { blocks: Block[]; length: number } {
  let length = 0
  const blocks = sizes.map((count, i) => {
    const start = length
    length += count
    return { start, count, data: i % 3 === 2 ? null : Uint8Array.from({ length: count }, (_, k) => start + k) }
  })
  return { blocks, length }
}

test('any slice of any blocks, and of any part of it', () => {
  fc.assert(
    fc.property(
      counts,
      bound,
      bound,
      step,
      fc.nat({ max: 60 }),
      fc.nat({ max: 60 }),
      (sizes, start, stop, by, done, most) => {
        const { blocks, length } = blocksOf(sizes)
        const slice = resolveSlice({ start, stop, step: by }, length)
        const expected = pythonSlice(length, start, stop, by)
        if (spec === undefined) throw new Error('there is a column')
        for (const [part, indices] of [
          [slice, expected],
          [subSlice(slice, done, most), expected.slice(done, done + most)],
          [resolveSlice(sliceOf(slice), length), expected],
          [resolveSlice(sliceOf(subSlice(slice, done, most)), length + 5), expected.slice(done, done + most)],
        ] as const) {
          const read: (number | null)[] = []
          for (const { first, count, data } of takeBlocks({ spec, slice: part }, blocks)) {
            expect(first).toBe(indices[read.length])
            read.push(...(data === null ? new Array<null>(count).fill(null) : data))
          }
          const isSent = (i: number) => blocks.find((b) => b.start <= i && i < b.start + b.count)?.data !== null
          expect(read).toEqual(indices.map((i) => (isSent(i) ? i : null)))
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('a hole ends what is taken', () => {
  const { blocks } = blocksOf([4, 4, 4])
  if (spec === undefined) throw new Error('there is a column')
  for (const by of [1n, -1n]) {
    const slice = { first: by > 0n ? 0 : 11, count: 12, step: by }
    const taken = [
      ...takeBlocks(
        { spec, slice },
        [blocks[0], blocks[2]].flatMap((block) => block ?? []),
      ),
    ]
    expect(taken.map(({ count }) => count)).toEqual([4])
  }
})

const often = { ranges: Array.from({ length: 1000 }, () => [0, 1] as const), count: 1000 }
const PAGE_BYTES = 2 * 1024 * 1024

test.each(['bool', 'float64', 'str'] as const)(
  'an element that is asked for often is taken of few draws: %s',
  (dtype) => {
    const [scalar] = buildSchema([{ name: 'x', dtype }], [], DEFAULT_LIMITS).columns
    if (scalar === undefined) throw new Error('there is a column')
    const count = 20_000
    const itemSize = scalar.dtype === 'str' ? 4 : scalar.itemSize
    const blocks = [0, 1].map((i) => ({ start: i * count, count, data: new Uint8Array(count * itemSize) }))
    for (const step of [1, -3]) {
      let slice = resolveSlice({ step }, 2 * count)
      const taken = [...takeBlocks({ spec: scalar, slice, elements: often }, blocks)]
      const draws = taken.reduce((n, { count: own }) => n + own, 0)
      expect(taken.reduce((n, { data }) => n + (data?.length ?? 0), 0)).toBeLessThanOrEqual(PAGE_BYTES)
      expect(draws).toBe(Math.floor(PAGE_BYTES / (1000 * itemSize)))
      // The rest begins where this has ended.
      slice = subSlice(slice, draws)
      expect(takeBlocks({ spec: scalar, slice, elements: often }, blocks).next().value?.first).toBe(slice.first)
    }
  },
)

test('a draw whose strings become too many bytes is refused', () => {
  const [scalar] = buildSchema([{ name: 'x', dtype: 'str' }], [], DEFAULT_LIMITS).columns
  if (scalar === undefined) throw new Error('there is a column')
  const text = 128 * 1024
  const data = new Uint8Array(4 + text).fill(97)
  new DataView(data.buffer).setUint32(0, text, true)
  const slice = resolveSlice({}, 1)
  const blocks = [{ start: 0, count: 1, data }]
  const [taken] = [
    ...takeBlocks({ spec: scalar, slice, elements: { ...often, ranges: often.ranges.slice(0, 3), count: 3 } }, blocks),
  ]
  expect(taken).toMatchObject({ first: 0, count: 1 })
  expect(taken?.data?.length).toBe(3 * (4 + text))
  expect(() => [...takeBlocks({ spec: scalar, slice, elements: often }, blocks)]).toThrow('name each of them once')
})
