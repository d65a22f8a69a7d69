/** Bodies that are wrong in any way: an answer at once, never a 5xx, and memory in proportion to the body. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DRAWS, drawBatch, iterations, jsonOf, META, newApp, runMeta, snapshot, withDraws } from './api.ts'
import { APPENDS, REGISTRATIONS } from './bodies.ts'

const MIB = 1024 * 1024
const RUN = '/v1/runs/fuzzed'

const own = (bytes: Iterable<number>) => new Uint8Array(bytes)

/** A body that was good, with bits turned, bytes cut out, put in, or cut off. */
function damaged(bodies: readonly Uint8Array[]) {
  const body = fc.constantFrom(...bodies)
  const flips = fc.array(fc.nat(), { minLength: 1, maxLength: 5 })
  return fc.oneof(
    fc.tuple(body, flips).map(([bytes, bits]) => {
      const copy = own(bytes)
      for (const bit of bits) copy[(bit >> 3) % copy.length] = (copy[(bit >> 3) % copy.length] ?? 0) ^ (1 << (bit & 7))
      return copy
    }),
    fc.tuple(body, fc.nat()).map(([bytes, end]) => own(bytes.subarray(0, end % bytes.length))),
    fc
      .tuple(body, fc.nat(), fc.nat({ max: 20 }))
      .map(([bytes, at, n]) =>
        own([...bytes.subarray(0, at % bytes.length), ...bytes.subarray((at % bytes.length) + n)]),
      ),
    fc
      .tuple(body, fc.nat(), fc.uint8Array({ maxLength: 20 }))
      .map(([bytes, at, more]) =>
        own([...bytes.subarray(0, at % bytes.length), ...more, ...bytes.subarray(at % bytes.length)]),
      ),
    fc.tuple(body, body).map(([a, b]) => own([...a, ...b])),
    fc.uint8Array({ maxLength: 300 }).map(own),
  )
}

describe('damaged bodies', () => {
  test('of an append', async () => {
    const { api, reports } = newApp()
    await withDraws(api, 10)
    const bodies = [drawBatch(iterations(10, 1)), drawBatch(iterations(5, 7)), drawBatch(iterations(0, 40))]
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(damaged(bodies), async (body) => {
        const response = await api.request('POST', DRAWS, { body })
        statuses.add(response.status)
        expect([200, 400, 409, 413, 422]).toContain(response.status)
        const { length } = await jsonOf(await api.get('/v1/runs/r/chains/0'))
        if (length === 10) return
        // By luck it was a batch: begin again.
        await api.request('DELETE', '/v1/runs/r')
        await withDraws(api, 10)
      }),
      { numRuns: 700 },
    )
    expect([...statuses].sort()).toEqual(expect.arrayContaining([400, 422]))
    expect(reports).toEqual([])
  })

  test('of a registration', async () => {
    const { api, reports } = newApp()
    const full = runMeta({
      ...META,
      rid: 'fuzzed',
      coordinates: [
        { name: 'd', values: { data: new Uint8Array(8), dtype: 'float64', shape: [1], strides: [8], order: 'C' } },
      ],
      attributes: {
        n: { numberValue: 1 },
        s: { structValue: { fields: { a: { listValue: { values: [{ stringValue: 'x' }, { numberValue: 2 }] } } } } },
        t: { timestampValue: { seconds: 5, nanos: 7 } },
        d: { durationValue: { seconds: -5, nanos: -7 } },
        a: { ndarrayValue: { data: new Uint8Array(4), dtype: '<U1', shape: [1] } },
      },
      data: [
        { name: 'y', value: { data: new Uint8Array(2), dtype: 'int16', shape: [] }, dims: ['d'], isObserved: true },
      ],
    })
    await fc.assert(
      fc.asyncProperty(damaged([full, runMeta({ ...META, rid: '' })]), async (body) => {
        const response = await api.request('PUT', RUN, { body })
        expect([200, 201, 400, 409, 413, 422]).toContain(response.status)
        if (!response.ok) return
        // A body that was taken can be given back, in both forms.
        for (const accept of ['application/json', 'application/x-protobuf']) {
          expect((await api.get(RUN, { Accept: accept })).status).toBe(200)
        }
        expect((await api.request('PUT', RUN, { body })).status).toBe(200)
        await api.request('DELETE', RUN)
      }),
      { numRuns: 700 },
    )
    expect(reports).toEqual([])
  })
})

describe('bodies that say more than they hold', () => {
  /** Bytes of buffers that `work` leaves behind, collected or not; its part of the heap is measured below. */
  async function growth(work: () => Promise<void>): Promise<number> {
    const before = process.memoryUsage().arrayBuffers
    await work()
    return process.memoryUsage().arrayBuffers - before
  }

  test.each(APPENDS)('an append: %s', async (_what, make) => {
    const bytes = make()
    const { api, reports } = newApp()
    await withDraws(api, 10)
    const before = await snapshot(api)
    const begun = performance.now()
    const grown = await growth(async () => {
      const response = await api.request('POST', DRAWS, { body: own(bytes) })
      expect(response.status, await response.text()).toBeGreaterThanOrEqual(400)
      expect(response.status).toBeLessThan(500)
    })
    expect(performance.now() - begun).toBeLessThan(20_000)
    // The copies of the body that the request makes here, and nothing for sizes that it announces.
    expect(grown).toBeLessThan(5 * bytes.length + 16 * MIB)
    expect(await snapshot(api)).toEqual(before)
    expect(reports).toEqual([])
  })

  test.each(REGISTRATIONS)('a registration: %s', async (_what, make) => {
    const bytes = make()
    const { api, reports } = newApp()
    const begun = performance.now()
    const grown = await growth(async () => {
      const response = await api.request('PUT', RUN, { body: own(bytes) })
      const text = await response.text()
      expect([201, 400, 413, 422], text).toContain(response.status)
    })
    expect(performance.now() - begun).toBeLessThan(20_000)
    // As above, and the copy that has no room to spare where no length was announced.
    expect(grown).toBeLessThan(5 * bytes.length + 16 * MIB)
    expect(reports).toEqual([])
  })

  test('all of them are met in a heap of 64 MiB', () => {
    const script = fileURLToPath(new URL('./small-heap.ts', import.meta.url))
    const lines = execFileSync(process.execPath, ['--max-old-space-size=64', script], { encoding: 'utf8' })
    const statuses = lines.trim().split('\n').map(Number)
    expect(statuses).toHaveLength(APPENDS.length + REGISTRATIONS.length)
    expect(statuses.filter((status) => status >= 500)).toEqual([])
  })
})
