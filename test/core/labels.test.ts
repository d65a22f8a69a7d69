/** Names of elements: indices, labels of coordinates, and times among them. */
import { expect, test } from 'vitest'
import { ElementNames } from '../../src/core/draws/labels.ts'
import type { LabelArray } from '../../src/core/draws/ndarray.ts'
import { encodeNdArray } from '../../src/core/draws/ndarray.ts'
import { timeText } from '../../src/core/draws/times.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { encodeRunMeta, type mcbackend, parseRunMeta } from '../../src/core/wire/run-meta.ts'

const strings = (...data: string[]): LabelArray => ({ dtype: 'str', shape: [data.length], data })
const times = (unit: string, ...data: bigint[]): LabelArray => {
  return { dtype: 'int64', shape: [data.length], data: new BigInt64Array(data), unit }
}

const META = {
  rid: 'r',
  variables: [
    { name: 'mu', dtype: 'float64' },
    { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
    { name: 'cov', dtype: 'float64', shape: [3, 2], dims: ['school', 'unnamed'] },
    { name: 'price', dtype: 'float32', shape: [2, 3], dims: ['day', 'year'] },
    { name: 'plain', dtype: 'int64', shape: [2, 2, 2] },
    { name: 'other', dtype: 'float64', shape: [4], dims: ['school'] },
    { name: 'flags', dtype: 'bool', shape: [2], dims: ['flag'] },
    { name: 'foreign', dtype: 'float64', shape: [2], dims: ['complex'] },
  ],
  sampleStats: [{ name: 'step', dtype: 'float64', shape: [3], dims: ['school'] }],
  coordinates: [
    { name: 'school', values: encodeNdArray(strings('Choate', 'Deerfield', '')) },
    { name: 'day', values: encodeNdArray(times('ns', 1_577_836_800_000_000_000n, 1_577_836_800_250_000_000n)) },
    {
      name: 'year',
      values: encodeNdArray({ dtype: 'int64', shape: [3], data: new BigInt64Array([1999n, 2000n, -1n]) }),
    },
    { name: 'flag', values: encodeNdArray({ dtype: 'bool', shape: [2], data: new Uint8Array([0, 1]) }) },
    { name: 'complex', values: { ...encodeNdArray(strings('a', 'b')), dtype: 'complex64' } },
  ],
} satisfies mcbackend.RunMeta.$Properties

const { meta, schema } = parseRunMeta(encodeRunMeta(META), DEFAULT_LIMITS)
const names = new ElementNames(meta)

test.each([
  ['mu', 0, [], 'mu'],
  ['theta', 1, [1], 'theta[Deerfield]'],
  ['theta', 2, [2], 'theta[]'],
  ['cov', 3, [1, 1], 'cov[Deerfield,1]'],
  ['price', 2, [0, 2], 'price[2020-01-01,-1]'],
  ['price', 3, [1, 0], 'price[2020-01-01T00:00:00.25,1999]'],
  ['plain', 5, [1, 0, 1], 'plain[1,0,1]'],
  ['other', 3, [3], 'other[3]'],
  ['flags', 1, [1], 'flags[true]'],
  ['foreign', 1, [1], 'foreign[1]'],
  ['step', 0, [0], 'step[Choate]'],
])('element of %s at %i', (name, element, index, label) => {
  const spec = schema.draws.get(name) ?? schema.stats.get(name)
  if (spec === undefined) throw new Error(`there is no "${name}"`)
  expect(names.of(spec, element)).toEqual({ variable: name, index, label })
})

test('a label that is very long is cut, and no pair of surrogates in two', () => {
  const values = encodeNdArray(strings(`${'a'.repeat(199)}😀${'b'.repeat(100_000)}`))
  const long = parseRunMeta(
    encodeRunMeta({
      rid: 'r',
      variables: [{ name: 'x', dtype: 'float64', shape: [1], dims: ['long'] }],
      coordinates: [{ name: 'long', values }],
    }),
    DEFAULT_LIMITS,
  )
  const [spec] = long.schema.columns
  if (spec === undefined) throw new Error('there is no column')
  expect(new ElementNames(long.meta).of(spec, 0).label).toBe(`x[${'a'.repeat(199)}…]`)
})

test.each([
  [50n, 'Y', '2020'],
  [601n, 'M', '2020-02'],
  [-1n, 'M', '1969-12'],
  [1n, 'W', '1970-01-08'],
  [18_262n, 'D', '2020-01-01'],
  [-1n, 'h', '1969-12-31T23:00:00'],
  [-1n, 'ns', '1969-12-31T23:59:59.999999999'],
  [3n, '25s', '1970-01-01T00:01:15'],
  [1n, 'as', '1970-01-01T00:00:00.000000000000000001'],
  [-(2n ** 63n), 'ns', 'NaT'],
  [2n ** 62n, 'Y', String(2n ** 62n)],
  [2n ** 62n, 's', String(2n ** 62n)],
  [7n, 'generic', '7'],
])('time %i in %s', (value, unit, text) => {
  expect(timeText(value, unit)).toBe(text)
})
