/** Draws over HTTP: the append table, reads of slices and columns, JSON, and what an ETag saves. */

import { describe, expect, test } from 'vitest'
import { appends } from '../../conformance/kit/server/appends.ts'
import { etags } from '../../conformance/kit/server/etags.ts'
import { reading } from '../../conformance/kit/server/reading.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Store } from '../../src/core/store.ts'
import { DRAWS, drawBatch, expectProblem, JSON_TYPE, newApp, PROTOBUF, runMeta, withDraws } from './api.ts'
import { IN_PROCESS } from './in-process.ts'

appends(IN_PROCESS)
reading(IN_PROCESS)
etags(IN_PROCESS)

test('JSON of draws is written without space, in the order of the contract', async () => {
  const { api } = newApp()
  await withDraws(api, 2)
  const text = await (await api.get(`${DRAWS}?var=x&stat=lp`, { Accept: JSON_TYPE })).text()
  expect(text).toBe('{"start":0,"count":2,"step":1,"draws":{"x":[0,1]},"stats":{"lp":[-0.0,-1]}}')
})

describe('ETags', () => {
  /** Counts the draws that are asked of the storage. */
  function counting(): { store: Store; reads: () => number } {
    const store = new MemoryStore()
    const { read } = store
    let reads = 0
    store.read = (...args) => {
      reads++
      return read.apply(store, args)
    }
    return { store, reads: () => reads }
  }

  test('HEAD reads no draw, and tells the length where no draw is needed for it', async () => {
    const { store, reads } = counting()
    const { api } = newApp({ store })
    const variables = [
      { name: 'k', dtype: 'int32' },
      { name: 's', dtype: 'str' },
    ]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const draws = [
      { name: 'k', dtype: 'int32', data: new Uint8Array(8) },
      { name: 's', dtype: 'str', strings: ['a', 'bc'] },
    ]
    await api.request('POST', DRAWS, { body: drawBatch({ start: 0, count: 2, draws }) })
    const lengths: (string | null)[] = []
    for (const path of [`${DRAWS}?var=k`, DRAWS, `${DRAWS}?start=2`]) {
      const before = reads()
      const head = await api.request('HEAD', path)
      expect([head.status, reads()]).toEqual([200, before])
      const length = head.headers.get('Content-Length')
      lengths.push(length)
      const got = await api.get(path)
      if (length !== null) expect(got.headers.get('Content-Length')).toBe(length)
      expect(got.headers.get('ETag')).toBe(head.headers.get('ETag'))
      await got.arrayBuffer()
    }
    expect(lengths.map((length) => length === null)).toEqual([false, true, false])
  })

  test('HEAD refuses lists of brackets that GET refuses', async () => {
    const { api } = newApp()
    const variables = [{ name: 'x', dtype: 'float64', shape: [600_000_000, 0] }]
    await api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
    await api.request('PUT', '/v1/runs/r/chains/0')
    const body = drawBatch({ start: 0, count: 1, draws: [{ name: 'x', dtype: 'float64' }] })
    expect((await api.request('POST', DRAWS, { body })).status).toBe(200)
    const headers = { Accept: JSON_TYPE }
    await expectProblem(await api.get(DRAWS, headers), 413, 'payload_too_large')
    expect((await api.request('HEAD', DRAWS, { headers })).status).toBe(413)
  })

  test('an unchanged answer is 304, without a draw being read', async () => {
    const { store, reads } = counting()
    const { api } = newApp({ store })
    await withDraws(api, 10)
    for (const path of [`${DRAWS}?stop=5`, DRAWS, `${DRAWS}?var=k&start=-3`, `${DRAWS}?step=-1`]) {
      for (const accept of [PROTOBUF, JSON_TYPE]) {
        const etag = (await api.get(path, { Accept: accept })).headers.get('ETag') ?? ''
        const before = reads()
        for (const given of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
          const response = await api.get(path, { Accept: accept, 'If-None-Match': given })
          expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([304, '', etag])
          expect(response.headers.get('Cache-Control')).toBe('private, no-cache')
          expect(response.headers.get('Vary')).toBe('Accept, Authorization')
        }
        expect(reads()).toBe(before)
        expect((await api.get(path, { Accept: accept, 'If-None-Match': '"another"' })).status).toBe(200)
      }
    }
  })
})
