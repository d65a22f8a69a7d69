/** Elements of a variable over HTTP (docs/protocol.md §6). */
import { describe, expect, test } from 'vitest'
import {
  type Api,
  batchOf,
  DRAWS,
  drawBatch,
  expectProblem,
  JSON_TYPE,
  jsonOf,
  PROTOBUF,
  runMeta,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const text = (name: string, ...strings: string[]) => ({ name, dtype: 'str', strings })

async function newRun(server: Subject): Promise<Api> {
  const api = await server.open()
  const variables = [
    { name: 'theta', dtype: 'float64', shape: [2, 3] },
    { name: 'k', dtype: 'int32' },
    { name: 'names', dtype: 'str', shape: [2] },
    { name: 'ragged', dtype: 'float64', shape: [-1] },
  ]
  await api.request('PUT', '/v1/runs/r', {
    body: runMeta({ variables, sampleStats: [{ name: 'grad', dtype: 'float32', shape: [3] }] }),
  })
  await api.request('PUT', '/v1/runs/r/chains/0')
  const theta = new Uint8Array(Float64Array.from({ length: 18 }, (_, i) => i).buffer)
  const body = drawBatch({
    start: 0,
    count: 3,
    draws: [
      { name: 'theta', dtype: 'float64', data: theta },
      { name: 'k', dtype: 'int32', data: new Uint8Array(Int32Array.of(7, 8, 9).buffer) },
      text('names', 'a', 'b', 'μ', '', 'e', 'ff'),
      { name: 'ragged', dtype: 'float64', data: new Uint8Array(), shapes: [1, 0, 1, 0, 1, 0] },
    ],
    stats: [
      { name: 'grad', dtype: 'float32', data: new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9).buffer) },
    ],
  })
  expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
  return api
}

/** Declares the tests of elements. */
export function elements(server: Subject): void {
  describe('an answer', () => {
    test('holds a vector of the elements a draw, as protobuf', async () => {
      const api = await newRun(server)
      const response = await api.get(`${DRAWS}?var=theta&elem=5,0:2,5&start=1`, { Accept: PROTOBUF })
      const batch = await batchOf(response)
      const [theta] = batch.draws
      expect([Number(batch.start), batch.count, theta?.name, theta?.dtype]).toEqual([1, 2, 'theta', 'float64'])
      const data = theta?.data?.slice() ?? new Uint8Array()
      expect([...new Float64Array(data.buffer)]).toEqual([11, 6, 7, 11, 17, 12, 13, 17])
      const names = await batchOf(await api.get(`${DRAWS}?var=names&elem=1,0&step=-1`, { Accept: PROTOBUF }))
      expect(names.draws[0]?.strings).toEqual(['ff', 'e', '', 'μ', 'b', 'a'])
    })

    test('holds lists of them, as JSON', async () => {
      const api = await newRun(server)
      const read = async (query: string) => jsonOf(await api.get(`${DRAWS}?${query}`, { Accept: JSON_TYPE }))
      expect(await read('var=theta&elem=2')).toMatchObject({ draws: { theta: [[2], [8], [14]] }, stats: {} })
      expect(await read('var=k&var=k&elem=0,0')).toMatchObject({
        draws: {
          k: [
            [7, 7],
            [8, 8],
            [9, 9],
          ],
        },
      })
      expect(await read('stat=grad&elem=1:3&step=2')).toMatchObject({
        draws: {},
        stats: {
          grad: [
            [2, 3],
            [8, 9],
          ],
        },
      })
      expect(await read('var=names&elem=1&stop=2')).toMatchObject({ draws: { names: [['b'], ['']] } })
      expect(await read('var=theta&elem=0&start=3')).toMatchObject({ count: 0, draws: { theta: [] } })
    })

    test('has an ETag that knows the elements', async () => {
      const api = await newRun(server)
      const etags = new Set<string | null>()
      for (const elem of ['', '&elem=0', '&elem=1', '&elem=0,1', '&elem=0:6']) {
        const path = `${DRAWS}?var=theta${elem}`
        const etag = (await api.get(path)).headers.get('ETag')
        etags.add(etag)
        expect((await api.get(path, { 'If-None-Match': etag ?? '' })).status).toBe(304)
        expect((await api.request('HEAD', path)).headers.get('ETag')).toBe(etag)
      }
      expect(etags.size).toBe(5)
    })
  })

  describe('a query is refused', () => {
    const syntax = [
      'elem=',
      'elem=-1',
      'elem=1:1',
      'elem=2:1',
      'elem=a',
      'elem=0,,1',
      'elem=0:20000',
      'elem=0&elem=1',
      'elem=1.0',
    ]

    test.each(syntax)('for its syntax, before anything is looked up: %s', async (query) => {
      const api = await newRun(server)
      for (const path of [DRAWS, '/v1/runs/none/chains/0/draws', '/v1/runs/r/chains/9/draws']) {
        await expectProblem(await api.get(`${path}?var=theta&${query}`), 400, 'invalid_parameter')
      }
    })

    test.each(['elem=0', 'var=theta&var=k&elem=0', 'var=k&stat=grad&elem=0'])(
      'unless it names one column: %s',
      async (query) => {
        const api = await newRun(server)
        for (const path of [DRAWS, '/v1/runs/none/chains/0/draws']) {
          await expectProblem(await api.get(`${path}?${query}`), 400, 'invalid_parameter')
        }
      },
    )

    test('for an index out of range or a column that varies, once all is found', async () => {
      const api = await newRun(server)
      for (const query of [
        'var=theta&elem=6',
        'var=theta&elem=0:7',
        'var=k&elem=1',
        'stat=grad&elem=3',
        'var=ragged&elem=0',
      ]) {
        for (const headers of [{}, { 'If-None-Match': '"x"' }]) {
          await expectProblem(await api.get(`${DRAWS}?${query}`, headers), 400, 'invalid_parameter')
          const elsewhere = await api.get(`/v1/runs/r/chains/9/draws?${query}`, headers)
          await expectProblem(elsewhere, 404, 'chain_not_found')
        }
        await expectProblem(await api.get(`/v1/runs/none/chains/0/draws?${query}`), 404, 'run_not_found')
      }
      await expectProblem(await api.get(`${DRAWS}?var=nothing&elem=99999`), 404, 'unknown_variable')
    })
  })
}
