/** Two that write at once, over HTTP: one wins, and nothing is mixed, doubled or left out. */
import { describe, expect, test } from 'vitest'
import { batchOf, column, DRAWS, drawBatch, jsonOf, runMeta } from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const X = [{ name: 'x', dtype: 'float64' }]
const ROUNDS = 10
const COUNT = 5

/** Iterations that tell their writer: its number and the index. */
const batchBy = (writer: number, start: number) =>
  drawBatch({
    start,
    count: COUNT,
    draws: [column('x', ...Array.from({ length: COUNT }, (_, i) => writer * 1000 + start + i))],
  })

/** Declares the tests of races. */
export function races(server: Subject): void {
  describe('races', () => {
    test('of two writers for one index, one wins, and the other is told', async () => {
      const api = await server.open()
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: X }) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      const expected: number[] = []
      for (let start = 0; start < ROUNDS * COUNT; start += COUNT) {
        const writers = [1, 2, 3]
        const answers = await Promise.all(writers.map((w) => api.request('POST', DRAWS, { body: batchBy(w, start) })))
        const told = await Promise.all(
          answers.map(async (answer) => ({ status: answer.status, ...(await jsonOf(answer)) })),
        )
        const won = told.findIndex(({ status }) => status === 200)
        expect(told.map(({ status }) => status).sort()).toEqual([200, 409, 409])
        expect(told[won]).toMatchObject({ chain: 0, length: start + COUNT })
        for (const each of told.filter((_, i) => i !== won)) {
          expect(each).toMatchObject({ code: 'draw_conflict', length: start + COUNT })
        }
        for (let i = 0; i < COUNT; i++) expected.push((writers[won] ?? 0) * 1000 + start + i)
      }
      const read = await batchOf(await api.get(DRAWS))
      expect(read.count).toBe(expected.length)
      expect([...new Float64Array(new Uint8Array(read.draws[0]?.data ?? []).buffer)]).toEqual(expected)
    })

    test('the same batch that is sent several times at once is stored once', async () => {
      const api = await server.open()
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: X }) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      for (let start = 0; start < ROUNDS * COUNT; start += COUNT) {
        const again = [1, 2, 3].map(() => api.request('POST', DRAWS, { body: batchBy(1, start) }))
        for (const answer of await Promise.all(again)) {
          expect([answer.status, await jsonOf(answer)]).toEqual([200, { chain: 0, length: start + COUNT }])
        }
      }
    })

    test('one of those who register at once makes the run, and all get its registration', async () => {
      const api = await server.open()
      for (let round = 0; round < ROUNDS; round++) {
        const put = () => api.request('PUT', `/v1/runs/n${round}`, { body: runMeta({ variables: X }) })
        const answers = await Promise.all([put(), put(), put()])
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201])
        expect(new Set(answers.map(({ headers }) => headers.get('Mcb-Registration'))).size).toBe(1)
      }
    })

    test('one of those who make a chain at once makes it', async () => {
      const api = await server.open()
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables: X }) })
      const headers = { 'If-None-Match': '*' }
      for (let chain = 0; chain < ROUNDS; chain++) {
        const put = () => api.request('PUT', `/v1/runs/r/chains/${chain}`, { headers })
        const answers = await Promise.all([put(), put(), put()])
        expect(answers.map(({ status }) => status).sort()).toEqual([201, 412, 412])
      }
    })

    test('columns of a read are of one moment while somebody writes', async () => {
      const api = await server.open()
      const variables = ['a', 'b', 'c'].map((name) => ({ name, dtype: 'float64' }))
      await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
      await api.request('PUT', '/v1/runs/r/chains/0')
      const write = async () => {
        for (let start = 0; start < 60; start++) {
          const draws = variables.map(({ name }) => column(name, start))
          const { status } = await api.request('POST', DRAWS, { body: drawBatch({ start, count: 1, draws }) })
          expect(status).toBe(200)
        }
      }
      const read = async () => {
        for (let least = 0; least < 60; ) {
          const batch = await batchOf(await api.get(DRAWS))
          expect(batch.count).toBeGreaterThanOrEqual(least)
          expect(batch.draws.map(({ data }) => data?.length ?? 0)).toEqual(new Array(3).fill(8 * batch.count))
          least = batch.count
        }
      }
      await Promise.all([write(), read()])
    })
  })
}
