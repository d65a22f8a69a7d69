/** Reads of draws over HTTP: columns, names, slices, and the JSON of draws. */
import { describe, expect, test } from 'vitest'
import { HOSTILE_NAMES } from '../../../test/conformance/names.ts'
import {
  type Api,
  batchOf,
  column,
  DRAWS,
  drawBatch,
  float64,
  iterations,
  JSON_TYPE,
  jsonOf,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import table from '../../golden/files/slices.json' with { type: 'json' }
import type { Subject } from './subject.ts'

const doubles = (bytes: Uint8Array) => [...new Float64Array(new Uint8Array(bytes).buffer)]

/** Lengths of chains for which the golden slices are asked. */
const LENGTHS = [0, 1, 2, 3, 5, 10, 20]

/** The slice of a row of the golden table, asked of the chain whose number is its length. */
async function expectSlice(api: Api, row: readonly (string | number | null)[]): Promise<void> {
  const [length, start, stop, step, first, count, clamped] = row
  const bounds = Object.entries({ start, stop, step })
  const query = bounds.flatMap(([name, value]) => (value === null ? [] : [`&${name}=${value}`])).join('')
  const read = await batchOf(await api.get(`/v1/runs/r/chains/${length}/draws?var=x${query}`))
  const told = { start: Number(read.start), count: read.count, step: String(read.step) }
  expect({ length, query, ...told }).toEqual({ length, query, start: first, count, step: clamped })
  const values = Array.from({ length: Number(count) }, (_, i) => Number(first) + i * Number(clamped))
  expect(doubles(read.draws[0]?.data ?? new Uint8Array())).toEqual(values)
}

/** Declares the tests of reading. */
export function reading(server: Subject): void {
  describe('reading', () => {
    const names = (columns: readonly { name?: string | null }[]) => columns.map(({ name }) => name)

    test.each([
      ['', ['x', 'k', 's'], ['lp']],
      ['var=s&var=x', ['s', 'x'], []],
      ['var=x&var=s&var=x', ['x', 's'], []],
      ['stat=lp', [], ['lp']],
      ['stat=lp&var=k&stat=lp', ['k'], ['lp']],
      ['start=1&nothing=2&__proto__=3', ['x', 'k', 's'], ['lp']],
    ])('columns: "%s"', async (query, draws, stats) => {
      const api = await server.open()
      await withDraws(api, 4)
      const read = await batchOf(await api.get(`${DRAWS}?${query}`))
      expect([names(read.draws), names(read.stats)]).toEqual([draws, stats])
      const json = await jsonOf(await api.get(`${DRAWS}?${query}`, { Accept: JSON_TYPE }))
      expect([Object.keys(json.draws), Object.keys(json.stats)]).toEqual([draws, stats])
    })

    test('names in the query are any', async () => {
      const api = await server.open()
      const hostile = ['a/b', 'μ', 'log prior', '__proto__', 'a+b', 'a&b=c', '%', '#', "x'; DROP TABLE runs", '\u0000']
      const all = [...new Set([...hostile, ...HOSTILE_NAMES])]
      await api.request('PUT', '/v1/runs/r', {
        body: runMeta({ variables: all.map((name) => ({ name, dtype: 'float64' })) }),
      })
      await api.request('PUT', '/v1/runs/r/chains/0')
      await api.request('POST', DRAWS, { body: drawBatch({ count: 1, draws: all.map((name, i) => column(name, i)) }) })
      for (const [i, name] of all.entries()) {
        const read = await batchOf(await api.get(`${DRAWS}?var=${encodeURIComponent(name)}`))
        expect([names(read.draws), doubles(read.draws[0]?.data ?? new Uint8Array())]).toEqual([[name], [i]])
      }
      const json = await jsonOf(await api.get(DRAWS, { Accept: JSON_TYPE }))
      expect(Object.keys(json.draws).sort()).toEqual([...all].sort())
    })

    test('slices, as Python answers', async () => {
      const api = await server.open()
      await withDraws(api, 0)
      for (const length of LENGTHS) {
        await api.request('PUT', `/v1/runs/r/chains/${length}`)
        const body = drawBatch(iterations(0, length))
        if (length > 0) await api.request('POST', `/v1/runs/r/chains/${length}/draws`, { body })
      }
      const rows = table.rows.filter(([length]) => LENGTHS.includes(Number(length)))
      expect(rows.length).toBeGreaterThan(1000)
      for (const row of rows.filter((_, i) => i % server.every === 0)) await expectSlice(api, row)
    })

    test('integers of any size', async () => {
      const api = await server.open()
      await withDraws(api, 3)
      const huge = '9'.repeat(2000)
      const read = await batchOf(await api.get(`${DRAWS}?var=x&start=-${huge}&stop=${huge}&step=${huge}`))
      expect([read.count, String(read.step)]).toEqual([1, String(2n ** 63n - 1n)])
      const json = await jsonOf(await api.get(`${DRAWS}?var=x&step=-${huge}`, { Accept: JSON_TYPE }))
      expect(json).toMatchObject({ start: 2, count: 1, step: String(-(2n ** 63n) + 1n) })
    })

    test('an empty answer has its columns, and start 0', async () => {
      const api = await server.open()
      await withDraws(api, 5)
      const read = await batchOf(await api.get(`${DRAWS}?start=3&stop=2&step=2`))
      expect([Number(read.start), read.count, Number(read.step)]).toEqual([0, 0, 2])
      expect(read.draws.map(({ name, dtype }) => [name, dtype])).toEqual([
        ['x', 'float64'],
        ['k', 'int16'],
        ['s', 'str'],
      ])
      for (const each of [...read.draws, ...read.stats])
        expect([each.data?.length ?? 0, each.shapes?.length ?? 0, each.strings?.length ?? 0]).toEqual([0, 0, 0])
    })

    test('JSON for people', async () => {
      const api = await server.open()
      const variables = [
        { name: 'theta', dtype: 'float64', shape: [2] },
        { name: 'n', dtype: 'int64' },
        { name: 'u', dtype: 'uint64', shape: [1] },
        { name: 'f', dtype: 'float32' },
        { name: 'b', dtype: 'bool', shape: [2] },
        { name: 's', dtype: 'str' },
        { name: 'any', dtype: 'int8', undefinedNdim: true },
      ]
      await api.request('PUT', '/v1/runs/r', {
        body: runMeta({
          variables,
          sampleStats: [
            { name: 'lp', dtype: 'float64' },
            { name: 'absent', dtype: 'float32' },
          ],
        }),
      })
      await api.request('PUT', '/v1/runs/r/chains/0')
      const raw = (array: Uint8Array | BigInt64Array | BigUint64Array | Float32Array) => new Uint8Array(array.buffer)
      const draws = [
        { name: 'theta', dtype: 'float64', data: float64(1, Number.NaN, Number.POSITIVE_INFINITY, -0) },
        { name: 'n', dtype: 'int64', data: raw(new BigInt64Array([2n ** 53n, -(2n ** 53n) - 1n])) },
        { name: 'u', dtype: 'uint64', data: raw(new BigUint64Array([7n, 2n ** 64n - 1n])) },
        { name: 'f', dtype: 'float32', data: raw(new Float32Array([0.5, Number.NEGATIVE_INFINITY])) },
        { name: 'b', dtype: 'bool', data: new Uint8Array([1, 0, 0, 1]) },
        { name: 's', dtype: 'str', strings: ['', '"\n😀'] },
        { name: 'any', dtype: 'int8', data: new Uint8Array([255, 1, 2]), shapes: [0, 2, 1, 2] },
      ]
      expect(
        (await api.request('POST', DRAWS, { body: drawBatch({ count: 2, draws, stats: [column('lp', -1.5, -1.4)] }) }))
          .status,
      ).toBe(200)
      expect(await jsonOf(await api.get(DRAWS, { Accept: JSON_TYPE }))).toEqual({
        start: 0,
        count: 2,
        step: 1,
        draws: {
          theta: [
            [1, 'NaN'],
            ['Infinity', -0],
          ],
          n: [2 ** 53, '-9007199254740993'],
          u: [[7], ['18446744073709551615']],
          f: [0.5, '-Infinity'],
          b: [
            [true, false],
            [false, true],
          ],
          s: ['', '"\n😀'],
          any: [-1, [[1, 2]]],
        },
        stats: { lp: [-1.5, -1.4], absent: ['NaN', 'NaN'] },
      })
    })
  })
}
