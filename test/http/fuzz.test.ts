/** Bodies that are wrong in any way: an answer at once, never a 5xx, and memory in proportion to the body. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DRAWS, drawBatch, iterations, META, newApp, runMeta, snapshot, withDraws } from './api.ts'

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
        const { length } = await (await api.get('/v1/runs/r/chains/0'))
          .json()
          .then((chain) => ({ length: 0, ...(typeof chain === 'object' ? chain : {}) }))
        if (length === 10) return
        // By luck it was a batch: begin again.
        await api.request('DELETE', '/v1/runs/r')
        await withDraws(api, 10)
      }),
      { numRuns: 1500 },
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
        // What was taken can be given back, in both forms.
        for (const accept of ['application/json', 'application/x-protobuf']) {
          expect((await api.get(RUN, { Accept: accept })).status).toBe(200)
        }
        expect((await api.request('PUT', RUN, { body })).status).toBe(200)
        await api.request('DELETE', RUN)
      }),
      { numRuns: 1500 },
    )
    expect(reports).toEqual([])
  })
})

/** A field of some length, and its head. */
function field(number: number, payload: Uint8Array): Uint8Array {
  const head: number[] = [(number << 3) | 2]
  let rest = payload.length
  for (; rest >= 128; rest = Math.floor(rest / 128)) head.push((rest % 128) | 128)
  head.push(rest)
  return own([...head, ...(payload.length < 100_000 ? payload : [])]).length > 0 && payload.length < 100_000
    ? own([...head, ...payload])
    : Buffer.concat([own(head), payload])
}

const repeated = (bytes: readonly number[], count: number) => {
  const all = new Uint8Array(bytes.length * count)
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length)
  return all
}

/** Messages in messages, `depth` of them. */
function nestedIn(tags: readonly number[], depth: number): Uint8Array {
  let inner: Uint8Array = new Uint8Array()
  for (let i = 0; i < depth; i++) inner = field(tags[i % tags.length] ?? 1, inner)
  return inner
}

const TWO_GB = [0xff, 0xff, 0xff, 0xff, 0x07]

describe('bodies that say more than they hold', () => {
  const draws: readonly (readonly [string, Uint8Array])[] = [
    ['a column of 2 GB', own([0x1a, ...TWO_GB, 1, 2, 3])],
    ['data of 2 GB', field(3, own([0x1a, ...TWO_GB, 1]))],
    ['a name of 2 GB', field(3, own([0x0a, ...TWO_GB, 1]))],
    ['shapes of 2 GB', field(3, own([0x0a, 1, 107, 0x22, ...TWO_GB, 1]))],
    ['an unknown field of 2 GB', own([0x7a, ...TWO_GB, 1])],
    ['a length of 2^63', own([0x1a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])],
    ['a length of 2^64 - 1', own([0x1a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
    ['2^32 - 1 iterations', drawBatch(iterations(10, 1, { count: 2 ** 32 - 1 }))],
    ['a million empty columns', repeated([0x1a, 0], 1_000_000)],
    ['a million empty columns of a known name', repeated([0x1a, 3, 0x0a, 1, 120], 1_000_000)],
    [
      'a million empty strings',
      field(3, own([0x0a, 1, 115, 0x12, 3, 115, 116, 114, ...repeated([0x2a, 0], 1_000_000)])),
    ],
    [
      'ten million shape words',
      Buffer.concat([
        drawBatch({ ...iterations(10, 1), draws: (iterations(10, 1).draws ?? []).filter((c) => c.name !== 'k') }),
        field(
          3,
          Buffer.concat([own([0x0a, 1, 107, 0x12, 5, ...Buffer.from('int16')]), field(4, repeated([1], 10_000_000))]),
        ),
      ]),
    ],
    [
      'a draw with ten million dimensions',
      Buffer.concat([
        own([0x10, 1]),
        field(
          3,
          Buffer.concat([
            own([0x0a, 1, 107, 0x12, 5, ...Buffer.from('int16')]),
            field(4, Buffer.concat([own([0x80, 0xad, 0xe2, 0x04]), repeated([1], 10_000_000)])),
          ]),
        ),
      ]),
    ],
    [
      'dimensions whose product has no end',
      drawBatch(
        iterations(10, 1, {
          draws: [
            ...(iterations(10, 1).draws ?? []).filter((c) => c.name !== 'k'),
            { name: 'k', dtype: 'int16', shapes: [40, ...new Array<number>(40).fill(2 ** 32 - 1)] },
          ],
        }),
      ),
    ],
    ['groups in groups', Buffer.concat([repeated([0x7b], 1_000_000), repeated([0x7c], 1_000_000)])],
    ['messages in unknown messages', nestedIn([15], 10_000)],
  ]

  const metas: readonly (readonly [string, Uint8Array])[] = [
    ['a variable of 2 GB', own([0x1a, ...TWO_GB, 1, 2, 3])],
    ['an array of 2 GB', field(4, field(2, own([0x0a, ...TWO_GB, 1])))],
    ['a shape of 2 GB', field(3, own([0x1a, ...TWO_GB, 1]))],
    ['16 MiB of empty variables', repeated([0x1a, 0], 8 * MIB)],
    ['16 MiB of empty coordinates', repeated([0x22, 0], 8 * MIB)],
    ['16 MiB of empty attributes', repeated([0x2a, 0], 8 * MIB)],
    ['16 MiB of empty values of a list', field(5, field(2, field(6, repeated([0x0a, 0], 7 * MIB))))],
    ['16 MiB of a Struct’s empty members', field(5, field(2, field(5, repeated([0x0a, 0], 7 * MIB))))],
    ['16 MiB of shape', field(3, field(3, repeated([1], 15 * MIB)))],
    ['16 MiB of an array’s shape', field(4, field(2, field(3, repeated([1], 15 * MIB))))],
    ['16 MiB of empty dims', field(3, repeated([0x22, 0], 7 * MIB))],
    ['a Struct in a Struct in a …', field(5, field(2, field(5, nestedIn([5, 2, 1], 3000))))],
    ['a list in a list in a …', field(5, field(2, field(6, nestedIn([6, 1], 3000))))],
    ['groups in groups', Buffer.concat([repeated([0x7b], 1_000_000), repeated([0x7c], 1_000_000)])],
    ['messages in unknown messages', nestedIn([15], 10_000)],
  ]

  /** Peak of what is held beyond the body, in bytes, while `work` goes on. */
  async function growth(work: () => Promise<void>): Promise<number> {
    globalThis.gc?.()
    const before = process.memoryUsage()
    let peak = 0
    const sample = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      peak = Math.max(peak, heapUsed - before.heapUsed + (arrayBuffers - before.arrayBuffers))
    }
    await work()
    sample()
    return peak
  }

  test.each(draws)('an append: %s', async (_what, bytes) => {
    const { api, reports } = newApp()
    await withDraws(api, 10)
    const before = await snapshot(api)
    const begun = performance.now()
    const grown = await growth(async () => {
      const response = await api.request('POST', DRAWS, { body: own(bytes) })
      expect(response.status, await response.text()).toBeGreaterThanOrEqual(400)
      expect(response.status).toBeLessThan(500)
    })
    expect(performance.now() - begun).toBeLessThan(5000)
    // A copy of the body, its words where it has shapes (four bytes for each of one), and some.
    expect(grown).toBeLessThan(6 * bytes.length + 64 * MIB)
    expect(await snapshot(api)).toEqual(before)
    expect(reports).toEqual([])
  })

  test.each(metas)('a registration: %s', async (_what, bytes) => {
    const { api, reports } = newApp()
    const begun = performance.now()
    const grown = await growth(async () => {
      const response = await api.request('PUT', RUN, { body: own(bytes) })
      const text = await response.text()
      // A message that is unknown here is anything, however deep it is.
      if (response.status !== 201) expect([400, 413, 422], text).toContain(response.status)
      else expect(bytes).toBe(metas.at(-1)?.[1])
    })
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(grown).toBeLessThan(2 * bytes.length + 64 * MIB)
    expect(reports).toEqual([])
  })
})
