/** Segments: joined, cut and picked, they hold the same draws. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildSchema, type ColumnSpec } from '../../src/core/draws/columns.ts'
import {
  cutSegment,
  equalSegments,
  fillSegment,
  fillSize,
  joinSegments,
  pickSegment,
  sliceSegment,
} from '../../src/core/draws/segment.ts'
import { drawsOf, segmentOf } from '../../src/core/draws/values.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { expectSameDraws, NUMERIC } from '../conformance/arrays.ts'
import {
  type Column,
  Content,
  drawsOf as columnOf,
  differing,
  fillOf,
  indicesOf,
  variableOf,
} from '../conformance/columns.ts'

const SHAPES: readonly (readonly number[] | null)[] = [[], [3], [2, 2], [0], [-1], [2, -1], null]
const COLUMNS: readonly Column[] = [...NUMERIC, 'str' as const].flatMap((dtype) =>
  SHAPES.map((shape) => ({ name: `${dtype} [${shape}]`, dtype, shape })),
)

function specOf(column: Column): ColumnSpec {
  const spec = buildSchema([variableOf(column)], [], DEFAULT_LIMITS).columns[0]
  if (spec === undefined) throw new Error('no column')
  return spec
}

describe.each(COLUMNS.map((column) => [column.name, column] as const))('%s', (_name, column) => {
  const spec = specOf(column)
  const content = new Content(1, [column])
  const segment = (start: number, count: number) =>
    segmentOf(spec, content.read(column, indicesOf(start, count, 1)), count)

  test('joining, cutting and picking', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 })
    const strides = fc.record({ start: fc.nat(), step: fc.integer({ min: -4, max: 4 }).filter((step) => step !== 0) })
    fc.assert(
      fc.property(counts, fc.nat(), fc.nat(), strides, (parts, a, b, { start, step }) => {
        const total = parts.reduce((x, y) => x + y, 0)
        let end = 0
        const blocks = parts.map((count) => {
          end += count
          return { data: segment(end - count, count), count }
        })
        const whole = joinSegments(spec, blocks)
        expect(whole).toEqual(segment(0, total))
        expectSameDraws(drawsOf(spec, blocks), content.read(column, indicesOf(0, total, 1)))
        const from = Math.min(a % (total + 1), b % (total + 1))
        const to = Math.max(a % (total + 1), b % (total + 1))
        if (from < to) expect(sliceSegment(spec, whole, total, from, to)).toEqual(segment(from, to - from))
        if (spec.kind !== 'rigid-numbers') {
          const cut = [...cutSegment(spec, whole, total, 40)]
          expect(joinSegments(spec, cut)).toEqual(whole)
          for (const { count, data } of cut) expect(count === 1 || data.length <= 40).toBe(true)
        }
        const first = start % total
        const count = Math.floor((step > 0 ? total - 1 - first : first) / Math.abs(step)) + 1
        const picked = pickSegment(spec, whole, total, { first, step, count })
        expectSameDraws(drawsOf(spec, [{ data: picked, count }]), content.read(column, indicesOf(first, count, step)))
      }),
      { numRuns: 30 },
    )
  })

  test('absent draws equal their fill and nothing else', () => {
    for (const count of [1, 2, 7]) {
      const fill = fillSegment(spec, count)
      const draws = new Array(count).fill(fillOf(column))
      expect(fill).toEqual(segmentOf(spec, columnOf(column, draws), count))
      expect(fillSize(spec, count)).toBe(fill.length)
      expect(equalSegments(spec, count, null, fill)).toBe(true)
      expect(equalSegments(spec, count, fill, null)).toBe(true)
      expect(equalSegments(spec, count, null, null)).toBe(true)
      if (spec.layout === 'rigid' && spec.elements === 0) continue
      draws[count - 1] = differing(column, fillOf(column))
      const other = segmentOf(spec, columnOf(column, draws), count)
      expect(equalSegments(spec, count, null, other)).toBe(false)
      expect(equalSegments(spec, count, other, fill)).toBe(false)
      expect(equalSegments(spec, count, other, other.slice())).toBe(true)
    }
  })
})

test('the fill of a huge stat is compared without being made', () => {
  const spec = specOf({ name: 'huge', dtype: 'float64', shape: [2 ** 31] })
  expect(fillSize(spec, 1000)).toBe(2 ** 34 * 1000)
  expect(equalSegments(spec, 1000, null, null)).toBe(true)
  expect(equalSegments(spec, 1000, null, new Uint8Array(8))).toBe(false)
})
