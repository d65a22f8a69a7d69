/** The append table (docs/protocol.md §3) over HTTP, and messages in every form that a parser must take. */
import { describe, expect, test } from 'vitest'
import { goldenBatch, goldenBytes } from '../../../test/core/golden.ts'
import { batchOf, column, DRAWS, drawBatch, iterations, jsonOf, runMeta, withDraws } from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const doubles = (bytes: Uint8Array) => [...new Float64Array(new Uint8Array(bytes).buffer)]
const append = (start: number, count: number, change = {}) => ({ body: drawBatch(iterations(start, count, change)) })

/** Declares the tests of appending. */
export function appends(server: Subject): void {
  describe('appending', () => {
    test.each([
      ['s = L', append(10, 2), 200, { chain: 0, length: 12 }],
      ['s = 0, s + n = L', append(0, 10), 200, { chain: 0, length: 10 }],
      ['s + n < L', append(3, 4), 200, { chain: 0, length: 10 }],
      ['s < L < s + n', append(7, 9), 200, { chain: 0, length: 16 }],
      [
        's + n ≤ L, other content',
        append(3, 1, { draws: iterations(4, 1).draws }),
        409,
        { code: 'draw_conflict', length: 10 },
      ],
      [
        's < L < s + n, other content',
        append(9, 2, { draws: iterations(8, 2).draws }),
        409,
        { code: 'draw_conflict', length: 10 },
      ],
      ['s > L', append(11, 1), 409, { code: 'draw_gap', length: 10 }],
      ['n = 0', append(10, 1, { count: 0 }), 400, { code: 'empty_batch' }],
    ])('%s', async (_what, request, status, answer) => {
      const api = await server.open()
      await withDraws(api, 10)
      const response = await api.request('POST', DRAWS, request)
      expect([response.status, await jsonOf(response)]).toEqual([
        status,
        status === 200 ? answer : expect.objectContaining(answer),
      ])
      const length = status === 200 && 'length' in answer ? answer.length : 10
      const { count, draws } = await batchOf(await api.get(`${DRAWS}?var=x`))
      expect(count).toBe(length)
      expect(doubles(draws[0]?.data ?? new Uint8Array())).toEqual(Array.from({ length }, (_, i) => i))
      // The answer was lost: the same again is the same.
      if (status === 200) expect(await jsonOf(await api.request('POST', DRAWS, request))).toEqual({ chain: 0, length })
    })

    test('messages of the official runtime, in every form that a parser must take', async () => {
      const meta = {
        variables: [
          { name: 'ragged', dtype: 'int16', shape: [-1] },
          { name: 'words', dtype: 'str', undefinedNdim: true },
        ],
        sampleStats: [
          { name: 'lp', dtype: 'float64' },
          { name: 'tune', dtype: 'bool' },
        ],
      }
      const { start, draws, stats } = goldenBatch('small')
      for (const form of [
        'small-explicit-defaults',
        'small',
        'small-unpacked',
        'small-reordered',
        'small-split-shapes',
        'small-last-value-wins',
        'small-unknown-fields',
        'small-overlong-varints',
      ]) {
        const api = await server.open()
        expect(start).toBe('300')
        await api.request('PUT', '/v1/runs/r', { body: runMeta(meta) })
        await api.request('PUT', '/v1/runs/r/chains/0')
        // Singular fields at the end override what the golden files have: start 0, and no step.
        const body = new Uint8Array([...goldenBytes(`draws/${form}`), 0x08, 0, 0x28, 0])
        expect(await jsonOf(await api.request('POST', DRAWS, { body })), form).toEqual({ chain: 0, length: 3 })
        const read = await batchOf(await api.get(DRAWS))
        const columns = (given: typeof read.draws) =>
          given.map((c) => ({
            name: c.name,
            dtype: c.dtype,
            data: Buffer.from(c.data ?? []).toString('hex'),
            shapes: c.shapes ?? [],
            strings: c.strings ?? [],
          }))
        expect(columns(read.draws)).toEqual(draws)
        expect(columns(read.stats)).toEqual(stats)
      }
    })

    test('columns of one name among variables and stats are two', async () => {
      const api = await server.open()
      const x = [{ name: 'x', dtype: 'float64' }]
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: x, sampleStats: x }) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      await api.request('POST', DRAWS, {
        body: drawBatch({ count: 1, draws: [column('x', 1)], stats: [column('x', 2)] }),
      })
      const both = await batchOf(await api.get(`${DRAWS}?stat=x&var=x`))
      expect([both.draws.length, both.stats.length]).toEqual([1, 1])
      expect(doubles(both.stats[0]?.data ?? new Uint8Array())).toEqual([2])
      expect((await batchOf(await api.get(`${DRAWS}?var=x`))).stats).toEqual([])
    })
  })
}
