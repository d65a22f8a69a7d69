/** The posterior's tab: questions to the summary, and data against their replications. */
import { describe, expect, test } from 'vitest'
import { encodeNdArray } from '../../src/client/index.ts'
import { RunSchema } from '../../web/src/run/schema.ts'
import { partsOf, rangesOf } from '../../web/src/screens/posterior/parts.ts'
import { replicasOf } from '../../web/src/screens/posterior/replicas.ts'
import { curvesOf, evenly, replicationsIn, STATISTICS } from '../../web/src/screens/posterior/replications.ts'
import { normals } from './samples.ts'

const variable = (name: string, shape: number[] = []) => ({
  ...{ name, dtype: 'float64', shape, dims: [], isDeterministic: false, undefinedNdim: false },
})

const data = (name: string, values: readonly number[], isObserved = true) => {
  const array = encodeNdArray({ dtype: 'float64', shape: [values.length], data: Float64Array.from(values) })
  const bytes = Buffer.from(array.data).toString('base64')
  return { name, isObserved, dims: [], value: { dtype: array.dtype, shape: [...array.shape], data: bytes } }
}

function schemaOf(variables: ReturnType<typeof variable>[], ...observed: ReturnType<typeof data>[]): RunSchema {
  return new RunSchema({ variables, sampleStats: [], coordinates: [], data: observed })
}

describe('questions to the summary', () => {
  test('name whole variables together, and others by ranges of elements', () => {
    const schema = schemaOf([variable('mu'), variable('theta', [8]), variable('z', [100])])
    const scalars = [
      schema.scalar('draws', 'mu', 0),
      ...[0, 1, 2, 3, 4, 5, 6, 7].map((element) => schema.scalar('draws', 'theta', element)),
      ...[3, 4, 5, 9].map((element) => schema.scalar('draws', 'z', element)),
    ]
    expect(partsOf(schema, scalars)).toEqual([{ variables: ['mu', 'theta'] }, { variables: ['z'], elements: '3:6,9' }])
    expect(rangesOf([0, 1, 2])).toBe('0:3')
  })
})

describe('replications', () => {
  const names = (schema: RunSchema) => replicasOf(schema).map(({ observed, column }) => [observed.name, column.name])

  test('have the name of the data with an end or a beginning, and their shape', () => {
    const y = data('y', [1, 2, 3])
    expect(names(schemaOf([variable('y_rep', [3])], y))).toEqual([['y', 'y_rep']])
    expect(names(schemaOf([variable('posterior_predictive.y', [3]), variable('y_rep', [3])], y))).toEqual([
      ['y', 'posterior_predictive.y'],
    ])
    expect(names(schemaOf([variable('y_rep', [4]), variable('x_rep', [3])], y))).toEqual([])
    const both = schemaOf([variable('n_rep', [2]), variable('y_tilde', [3])], data('n', [1, 2], false), y)
    expect(names(both)).toEqual([
      ['y', 'y_tilde'],
      ['n', 'n_rep'],
    ])
  })

  test('are put together draw by draw, chain after chain', () => {
    const values = [Float64Array.of(1, 2), Float64Array.of(10, 20)]
    const chain = { chain: 0, at: Float64Array.of(0, 1), values }
    expect(
      replicationsIn({ chains: [chain, { ...chain, chain: 1 }], isThinned: false }).map(([...each]) => each),
    ).toEqual([
      [1, 10],
      [2, 20],
      [1, 10],
      [2, 20],
    ])
    expect(evenly([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4])
  })

  test('of whole numbers have shares, and others densities on one grid', async () => {
    const counts = await curvesOf(Float64Array.of(0, 0, 1, 3), [Float64Array.of(1, 1, 2, 2)])
    expect(counts.isDiscrete).toBe(true)
    expect([...counts.x]).toEqual([0, 1, 2, 3])
    expect([...counts.data]).toEqual([0.5, 0.25, 0, 0.25])
    expect(counts.replications.map(([...each]) => each)).toEqual([[0, 0.5, 0.5, 0]])
    const {
      x,
      data: density,
      replications,
      isDiscrete,
    } = await curvesOf(normals(200, 1), [normals(200, 2), normals(200, 3)])
    expect(isDiscrete).toBe(false)
    const width = (x[1] ?? 0) - (x[0] ?? 0)
    for (const each of [density, ...replications]) {
      expect(each.reduce((sum, y) => sum + y * width, 0)).toBeCloseTo(1, 9)
    }
  })

  test('are compared by mean and sd', () => {
    const values = Float64Array.of(2, 4, 4, 4, 5, 5, 7, 9)
    expect(STATISTICS.mean(values)).toBe(5)
    expect(STATISTICS.sd(values)).toBeCloseTo(2.138, 3)
  })
})
