/** Elements of a variable: the query, and the part of a column that it takes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildSchema } from '../../src/core/draws/columns.ts'
import {
  type Elements,
  elementsColumn,
  formatElements,
  MAX_ELEMENTS,
  parseElements,
  resolveElements,
} from '../../src/core/draws/elements.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'

const schema = buildSchema(
  [
    { name: 'theta', dtype: 'float64', shape: [4, 5] },
    { name: 'k', dtype: 'int32' },
    { name: 'names', dtype: 'str', shape: [3] },
    { name: 'ragged', dtype: 'float64', shape: [-1] },
    { name: 'none', dtype: 'float64', shape: [0] },
  ],
  [],
  DEFAULT_LIMITS,
)

function column(name: string) {
  const spec = schema.draws.get(name)
  if (spec === undefined) throw new Error(`there is no "${name}"`)
  return spec
}

const refused = expect.objectContaining({ code: 'invalid_parameter' })
const index = fc.nat({ max: 19 })
const range = fc.tuple(index, fc.integer({ min: 1, max: 5 })).map(([from, count]) => [from, from + count] as const)
const elements: fc.Arbitrary<Elements> = fc.array(fc.oneof(index, range), { minLength: 1, maxLength: 12 })

const flat = (parts: Elements) =>
  parts.flatMap((part) =>
    typeof part === 'number' ? [part] : Array.from({ length: part[1] - part[0] }, (_, i) => part[0] + i),
  )

describe('the query', () => {
  it('is read as it was written', () => {
    expect(parseElements('0,3,10:20')).toEqual([0, 3, [10, 20]])
    expect(parseElements('7,7,007')).toEqual([7, 7, 7])
    fc.assert(
      fc.property(elements, (parts) => {
        expect(parseElements(formatElements(parts))).toEqual(parts)
      }),
    )
  })

  it.each([
    '',
    ',',
    '1,',
    ',1',
    '-1',
    '+1',
    '1.5',
    '1e3',
    ' 1',
    '1 ',
    '1:',
    ':1',
    '1:1',
    '2:1',
    '1:2:3',
    'a',
    '٣',
    '1\n',
  ])('is refused: %j', (text) => {
    expect(() => parseElements(text)).toThrow(refused)
  })

  it('names a bounded number of elements', () => {
    expect(parseElements(`5:${5 + MAX_ELEMENTS}`)).toHaveLength(1)
    expect(() => parseElements(`0,5:${5 + MAX_ELEMENTS}`)).toThrow(refused)
    expect(() => parseElements('0:99999999999999999999999')).toThrow(refused)
    const beyond = parseElements('99999999999999999998:99999999999999999999,99999999999999999999')
    expect(() => resolveElements(column('theta'), beyond)).toThrow(refused)
  })

  it.each([[[]], [[-1]], [[0.5]], [[Number.NaN]], [[[2, 2]]], [[[3, 1]]], [[[0, Number.POSITIVE_INFINITY]]]] as [
    Elements,
  ][])('is not made of %j', (parts) => {
    expect(() => formatElements(parts)).toThrow(refused)
  })
})

describe('of a column', () => {
  it('are ranges of it in the order asked for', () => {
    fc.assert(
      fc.property(elements, (parts) => {
        const wanted = flat(parts)
        if (wanted.some((i) => i >= 20)) {
          expect(() => resolveElements(column('theta'), parts)).toThrow(refused)
          return
        }
        const { ranges, count } = resolveElements(column('theta'), parts)
        expect(flat(ranges)).toEqual(wanted)
        expect(count).toBe(wanted.length)
        const joined = ranges.slice(1).every(([from], i) => ranges[i]?.[1] !== from)
        expect(joined).toBe(true)
      }),
    )
  })

  it('a scalar has element 0, an empty array none', () => {
    expect(resolveElements(column('k'), [0, 0])).toMatchObject({ count: 2 })
    expect(() => resolveElements(column('k'), [1])).toThrow(refused)
    expect(() => resolveElements(column('none'), [0])).toThrow(refused)
  })

  it('have a fixed shape', () => {
    expect(() => resolveElements(column('ragged'), [0])).toThrow(refused)
  })

  it('make a vector a draw', () => {
    const theta = elementsColumn(column('theta'), resolveElements(column('theta'), [3, [7, 9]]))
    expect(theta).toMatchObject({ name: 'theta', shape: [3], elements: 3, stride: 24 })
    const names = elementsColumn(column('names'), resolveElements(column('names'), [2]))
    expect(names).toMatchObject({ kind: 'rigid-strings', shape: [1], elements: 1 })
  })
})
