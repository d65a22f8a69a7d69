/** Scalars of a run by their labels. */
import { describe, expect, test } from 'vitest'
import { encodeNdArray } from '../../src/client/index.ts'
import { RunSchema } from '../../web/src/run/schema.ts'

function labelled(name: string, data: readonly string[]) {
  const { data: bytes, dtype, shape } = encodeNdArray({ dtype: 'str', shape: [data.length], data: [...data] })
  return { name, values: { data: btoa(String.fromCharCode(...bytes)), dtype, shape } }
}

const column = { dtype: 'float64', isDeterministic: false, undefinedNdim: false }
const schema = new RunSchema({
  variables: [
    { ...column, name: 'mu', shape: [], dims: [] },
    { ...column, name: 'theta', shape: [3], dims: ['school'] },
    { ...column, name: 'theta_raw', shape: [3], dims: [] },
    { ...column, name: 'cov', shape: [3, 2], dims: ['school', 'side'] },
    { ...column, name: 'twice', shape: [2], dims: ['same'] },
    { ...column, name: 'odd', shape: [2], dims: ['comma'] },
    { ...column, name: 'pair', shape: [2, 2], dims: ['comma', 'side'] },
  ],
  sampleStats: [{ ...column, name: 'mu', shape: [], dims: [] }],
  coordinates: [
    labelled('school', ['Choate', '2', 'x'.repeat(300)]),
    labelled('side', ['left', 'right']),
    labelled('same', ['a', 'a']),
    labelled('comma', ['a,b', 'c']),
  ],
  data: [],
})

describe('each scalar is found by its label', () => {
  for (const { group, name, scalars } of schema.columns) {
    for (let element = 0; element < scalars; element++) {
      const scalar = schema.scalar(group, name, element)
      test(`${group} ${scalar.label.slice(0, 40)}`, () => {
        // A label that is there twice is that of the first, and a variable comes before a stat.
        const { label } = schema.find(scalar.label) ?? {}
        expect(label).toBe(scalar.label)
      })
    }
  }
})

test('the first of equal labels is found, and a variable before a stat', () => {
  expect(schema.find('twice[a]')?.element).toBe(0)
  expect(schema.find('mu')?.group).toBe('draws')
  expect(schema.find('theta[2]')?.element).toBe(1)
})

test.each(['theta', 'theta[]', 'theta[Nowhere]', 'theta[-1]', 'theta[0.5]', 'cov[Choate]', 'nothing', ''])(
  'there is no %j',
  (label) => {
    expect(schema.find(label)).toBeUndefined()
  },
)
