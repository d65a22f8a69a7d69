/** Registering, opening and describing runs. */
import { expect, test } from 'vitest'
import { encodeNdArray, type LabelArray } from '../../src/core/draws/ndarray.ts'
import type { mcbackend } from '../../src/core/generated/messages.js'
import { expectSameArray, floats, numbers, texts } from './arrays.ts'
import type { Topic, VariableSpec } from './suite.ts'

export const runs: Topic = {
  name: 'runs',
  reads: false,
  define(suite) {
    test('a run that was never registered is not found', async () => {
      expect(await suite.backend.getRun(suite.newRid())).toBeUndefined()
      const deleted = await suite.backend.deleteRun(suite.newRid())
      if (suite.tells('deleted')) expect(deleted).toBe(false)
    })

    test('registering the same again opens the run', async () => {
      const meta = { rid: suite.newRid(), variables: [{ name: 'x', dtype: 'float64', shape: [2, 3] }] }
      const first = await suite.backend.initRun(meta)
      const again = await suite.other.initRun(meta)
      const found = await suite.other.getRun(meta.rid)
      if (suite.tells('isNew')) expect([first.isNew, again.isNew, found?.isNew]).toEqual([true, false, false])
      if (suite.tells('registration')) expect(first.registration).not.toBe('')
      expect([again.registration, found?.registration]).toEqual([first.registration, first.registration])
      expect([first.rid, again.rid, found?.rid]).toEqual([meta.rid, meta.rid, meta.rid])
    })

    test('different metadata under the same id is a conflict and changes nothing', async () => {
      const rid = suite.newRid()
      const run = await suite.backend.initRun({ rid, variables: [{ name: 'x', dtype: 'float64' }] })
      for (const variables of [
        [],
        [{ name: 'x', dtype: 'float32' }],
        [{ name: 'y', dtype: 'float64' }],
        [{ name: 'x', dtype: 'float64', shape: [1] }],
        [{ name: 'x', dtype: 'float64', dims: ['d'] }],
        [{ name: 'x', dtype: 'float64', isDeterministic: true }],
      ]) {
        await expect(suite.other.initRun({ rid, variables })).rejects.toMatchObject({ code: 'run_conflict' })
      }
      const found = await suite.other.getRun(rid)
      expect(found?.registration).toBe(run.registration)
      expect(found?.meta.variables?.map((v) => [v.name, v.dtype])).toEqual([['x', 'float64']])
    })

    test('two who register at once agree', async () => {
      for (let round = 0; round < suite.rounds(20, 4); round++) {
        const meta = { rid: suite.newRid(), variables: [{ name: 'x', dtype: 'float64' }] }
        const [a, b] = await Promise.all([suite.backend.initRun(meta), suite.other.initRun(meta)])
        expect(a.registration).toBe(b.registration)
        if (suite.tells('isNew')) expect([a.isNew, b.isNew].filter((isNew) => isNew)).toHaveLength(1)
      }
    })

    test('invalid metadata is refused and nothing is registered', async () => {
      const x = { name: 'x', dtype: 'float64' }
      const cases: readonly (readonly [string, VariableSpec[], VariableSpec[]])[] = [
        ['unsupported_dtype', [{ name: 'x', dtype: 'complex128' }], []],
        ['unsupported_dtype', [{ name: 'x', dtype: '' }], []],
        ['unsupported_dtype', [x], [{ name: 'lp', dtype: 'float16' }]],
        ['invalid_run_meta', [x, x], []],
        ['invalid_run_meta', [x], [x, x]],
        ['invalid_run_meta', [{ name: '', dtype: 'int8' }], []],
        ['invalid_run_meta', [{ name: 'x', dtype: 'int8', shape: [-2] }], []],
        ['invalid_run_meta', [{ name: 'x', dtype: 'int8', shape: [2 ** 16, 2 ** 16] }], []],
      ]
      for (const [code, variables, sampleStats] of cases) {
        const rid = suite.newRid()
        const meta = { rid, variables, sampleStats }
        await expect(suite.backend.initRun(meta), JSON.stringify(meta)).rejects.toMatchObject({ code })
        expect(await suite.other.getRun(rid)).toBeUndefined()
      }
    })

    test('addresses of Python objects are refused, values of any other dtype are not', async () => {
      const array = (dtype: string) => ({ data: new Uint8Array(16), dtype, shape: [2], order: 'C' })
      const places = (dtype: string): Record<string, Partial<mcbackend.RunMeta.$Properties>> => ({
        day: { coordinates: [{ name: 'day', values: array(dtype) }] },
        y: { data: [{ name: 'y', value: array(dtype), isObserved: true }] },
        mass: { attributes: { mass: { ndarrayValue: array(dtype) } } },
      })
      for (const dtype of ['object', '|O', 'O', '>O', 'O8', '|O4', 'object_', "[('a', '<f8'), ('b', 'O')]"]) {
        for (const [variable, place] of Object.entries(places(dtype))) {
          const rid = suite.newRid()
          const refused = suite.backend.initRun({ rid, ...place })
          await expect(refused, dtype).rejects.toMatchObject(suite.refusal('unsupported_dtype', { variable }))
          expect(await suite.other.getRun(rid)).toBeUndefined()
        }
      }
      for (const dtype of [
        '<U2',
        'U2',
        '>f8',
        'datetime64[ns]',
        '<M8[D]',
        'timedelta64[ns]',
        'bool',
        '|S8',
        "[('O', '<f8')]",
      ]) {
        for (const place of Object.values(places(dtype))) {
          const rid = suite.newRid()
          await suite.backend.initRun({ rid, ...place })
          expect(await suite.other.getRun(rid)).toBeDefined()
        }
      }
    })

    test('the largest fixed shape is allowed, and a variable and a stat may share a name', async () => {
      const rid = suite.newRid()
      await suite.backend.initRun({
        rid,
        variables: [
          { name: 'x', dtype: 'float64', shape: [2 ** 16, 2 ** 15] },
          { name: 'shape loses', dtype: 'int8', shape: [2 ** 40], undefinedNdim: true },
        ],
        sampleStats: [{ name: 'x', dtype: 'bool' }],
      })
      const run = await suite.other.getRun(rid)
      expect(run?.schema.draws.get('x')?.dtype).toBe('float64')
      expect(run?.schema.stats.get('x')?.dtype).toBe('bool')
      expect(run?.schema.draws.get('shape loses')?.shape).toBeNull()
    })

    test('coordinates, dimensions and data come back', async () => {
      const school = texts([3], ['Choate', 'Ærø 😀', ''])
      const when: LabelArray = { ...numbers('int64', [2], [0n, -(2n ** 62n)]), unit: 'ns' }
      const y = floats([2, 2], [28, 8, Number.NaN, -0])
      const rid = suite.newRid()
      await suite.backend.initRun({
        rid,
        variables: [
          { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
          { name: 'mu', dtype: 'float64' },
        ],
        coordinates: [
          { name: 'school', values: encodeNdArray(school) },
          { name: 'when', values: encodeNdArray(when) },
        ],
        data: [
          { name: 'y', value: encodeNdArray(y), dims: ['a', 'b'], isObserved: true },
          { name: 'sigma', value: encodeNdArray(floats([], [2.5])) },
        ],
      })
      const run = await suite.other.getRun(rid)
      expectSameArray(run?.coords.get('school'), school)
      expectSameArray(run?.coords.get('when'), when)
      expect(run?.coords.get('when')).toMatchObject({ unit: 'ns' })
      expect(run && [...run.dims]).toEqual([
        ['theta', ['school']],
        ['mu', []],
        ['y', ['a', 'b']],
      ])
      expectSameArray(run?.observedData.get('y'), y)
      expectSameArray(run?.constantData.get('sigma'), floats([], [2.5]))
      expect([run?.observedData.size, run?.constantData.size]).toEqual([1, 1])
    })
  },
}
