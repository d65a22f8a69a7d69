/** Requests that are wrong in any way, at the doors that read: a clear answer, never a 5xx, and nothing that changes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf, newApp, snapshot, withDraws } from './api.ts'
import { headers, targets } from './doors.ts'

const methods = fc.constantFrom('GET', 'GET', 'GET', 'HEAD')

/** A snapshot without figures of the last summary, which the list of runs has. */
const stored = (all: unknown) => JSON.stringify(all, (key, value) => (key === 'diagnostics' ? null : value))

test('anything that is asked of the doors that read', async () => {
  const { api, reports } = newApp()
  await withDraws(api, 10)
  await api.request('PUT', '/v1/runs/r/chains/1')
  const before = stored(await snapshot(api))
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(methods, targets, headers, async (method, target, sent) => {
      const answer = await api.request(method, target, { headers: sent })
      const body = await bytesOf(answer)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      expect(answer.status, target).toBeLessThan(500)
      const isPlain = method === 'GET' && !answer.headers.has('Content-Encoding')
      if (answer.status >= 400) expect(answer.headers.get('Content-Type')).toContain('application/problem+json')
      if (answer.status >= 400 && isPlain) {
        expect(JSON.parse(new TextDecoder().decode(body)).code).toMatch(/^[a-z_]+$/)
      }
      const length = answer.headers.get('Content-Length')
      if (isPlain && length !== null) expect(body.length, target).toBe(Number(length))
    }),
    { numRuns: 2000 },
  )
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404]))
  expect(stored(await snapshot(api))).toEqual(before)
  expect(reports).toEqual([])
})

test('a range is a part of the whole, or there is none', async () => {
  const { api, reports } = newApp()
  await withDraws(api, 10)
  const url = '/v1/runs/r/at/0:10/data.nc'
  const whole = await bytesOf(await api.get(url))
  const bound = fc.oneof(fc.constant(''), fc.nat({ max: whole.length + 10 }).map(String))
  await fc.assert(
    fc.asyncProperty(bound, bound, async (from, to) => {
      const answer = await api.get(url, { Range: `bytes=${from}-${to}` })
      const body = await bytesOf(answer)
      if (answer.status === 416) {
        expect(answer.headers.get('Content-Range')).toBe(`bytes */${whole.length}`)
        return
      }
      if (answer.status === 200) {
        expect(body).toEqual(whole)
        return
      }
      expect(answer.status).toBe(206)
      const [, first = '', last = ''] = /^bytes (\d+)-(\d+)\//.exec(answer.headers.get('Content-Range') ?? '') ?? []
      expect(body).toEqual(whole.subarray(Number(first), Number(last) + 1))
      if (from !== '') expect(first).toBe(from)
    }),
    { numRuns: 300 },
  )
  expect(reports).toEqual([])
})
