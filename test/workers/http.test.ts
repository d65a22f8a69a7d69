/** HTTP on workerd beyond the application: lengths, encodings, bodies that are refused, answers that break off. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import { createWorker, type Env } from '../../src/worker/handler.ts'
import { d1Only, fetchD1Worker, openBackend } from './local.ts'
import { received } from './network.ts'

const PROTOBUF = { 'Content-Type': 'application/x-protobuf' }
const MIB = 1024 * 1024
const ROW = 1000

const request = (path: string, init?: RequestInit) => new Request(`http://worker.test${path}`, init)
const call = (path: string, init?: RequestInit) => fetchD1Worker(request(path, init))

/** A worker of its own, as another isolate has it, on other bindings. */
function isolate(bindings: Partial<Env>) {
  const worker = createWorker()
  return (path: string, init?: RequestInit) =>
    worker.fetch(request(path, init), { ...d1Only, ...bindings }, createExecutionContext())
}

function block(start: number, count: number): NdArray {
  return {
    dtype: 'float64',
    shape: [count, ROW],
    data: Float64Array.from({ length: count * ROW }, (_, i) => start * ROW + i),
  }
}

/** A chain of `mib` MiB. */
async function writeChain(rid: string, mib: number): Promise<number> {
  const run = await openBackend().initRun({
    rid,
    variables: [
      { name: 'x', dtype: 'float64', shape: [ROW] },
      { name: 'note', dtype: 'str' },
    ],
  })
  const chain = await run.initChain(0)
  const count = Math.ceil(MIB / ROW / 8)
  let length = 0
  for (let i = 0; i < mib; i++) {
    const note = { dtype: 'str', shape: [count], data: new Array<string>(count).fill('a') } as const
    length = await chain.appendBatch({
      count,
      draws: new Map<string, NdArray | typeof note>([
        ['x', block(length, count)],
        ['note', note],
      ]),
    })
  }
  return length
}

let length = 0
beforeAll(async () => {
  length = await writeChain('http', 3)
})
afterEach(() => vi.restoreAllMocks())

const DRAWS = '/v1/runs/http/chains/0/draws'

test('/readyz asks the storage; there are no figures', async () => {
  const ready = await call('/readyz')
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }])
  const keyed = isolate({ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: 'operator-token-of-the-workers-44d1' })
  for (const get of [call, keyed]) {
    const none = await get('/metrics')
    expect([none.status, await none.json()]).toMatchObject([404, { code: 'not_found' }])
  }
})

describe('answers', () => {
  test.each(['?var=x', '', '?var=note&start=-3', '?stop=0'])('draws%s come with their length', async (query) => {
    const answer = await call(`${DRAWS}${query}`)
    const bytes = await answer.arrayBuffer()
    expect(answer.headers.get('Content-Length')).toBe(String(bytes.byteLength))
    const head = await call(`${DRAWS}${query}`, { method: 'HEAD' })
    expect(head.status).toBe(200)
    // Notes vary in size: they are not read for a length that nobody may want.
    const isKnown = query === '?var=x' || query === '?stop=0'
    expect(head.headers.get('Content-Length')).toBe(isKnown ? String(bytes.byteLength) : null)
    expect(await head.text()).toBe('')
  })

  test('an answer that is known already has no body', async () => {
    const answer = await call(DRAWS)
    const etag = answer.headers.get('ETag') ?? ''
    await answer.body?.cancel()
    const again = await call(DRAWS, { headers: { 'If-None-Match': etag } })
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
  })

  test.each(['gzip', 'deflate', 'gzip;q=0.5, identity;q=0.1'])('JSON as "%s" is encoded once', async (accept) => {
    const answer = await call('/openapi.json', { headers: { 'Accept-Encoding': accept } })
    const encoding = answer.headers.get('Content-Encoding')
    expect(encoding).toMatch(/^(gzip|deflate)$/)
    expect(await decode(answer, encoding)).toHaveProperty('openapi')
  })

  test.each([undefined, 'identity', 'zstd'])('JSON for a client that takes %s is plain', async (accept) => {
    const answer = await call('/openapi.json', accept === undefined ? {} : { headers: { 'Accept-Encoding': accept } })
    expect(answer.headers.get('Content-Encoding')).toBeNull()
    expect(await answer.json()).toHaveProperty('openapi')
  })

  test('draws are not encoded', async () => {
    const answer = await call(`${DRAWS}?stop=9`, { headers: { 'Accept-Encoding': 'gzip' } })
    expect(answer.headers.get('Content-Encoding')).toBeNull()
    await answer.body?.cancel()
  })
})

/** JSON of an answer, whether or not the runtime has decoded it on the way. */
async function decode(answer: Response, encoding: string | null): Promise<unknown> {
  const bytes = await answer.arrayBuffer()
  if (new Uint8Array(bytes)[0] === 0x7b) return JSON.parse(new TextDecoder().decode(bytes))
  const format = encoding === 'gzip' ? 'gzip' : 'deflate'
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format))).json()
}

describe('bodies', () => {
  /** A body of some MiB that comes in pieces, and how many of them were taken. */
  function pieces(mib: number): { body: ReadableStream<Uint8Array>; taken: () => number } {
    let taken = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (taken === mib) controller.close()
        else {
          taken++
          controller.enqueue(new Uint8Array(MIB))
        }
      },
    })
    return { body: received(body), taken: () => taken }
  }

  const post = (
    path: string,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    headers: Record<string, string> = PROTOBUF,
  ): [string, RequestInit] => [path, { method: 'POST', headers, body, duplex: 'half' }]

  test.each([
    ['too large', DRAWS, PROTOBUF, 413],
    ['of another type', DRAWS, { 'Content-Type': 'text/plain' }, 415],
    ['for a run that is not there', '/v1/runs/nobody/chains/0/draws', PROTOBUF, 404],
  ])('one that is %s is read to its end before the answer', async (_, path, headers, status) => {
    const { body, taken } = pieces(70)
    const answer = await call(...post(path, body, headers))
    expect(answer.status).toBe(status)
    expect(taken()).toBe(70)
  })

  test('the limit is what MCB_BODY_MIB says', async () => {
    const small = isolate({ MCB_BODY_MIB: '2' })
    const refused = await small(...post(DRAWS, new Uint8Array(2 * MIB + 1)))
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({ code: 'payload_too_large', limit: 2 * MIB })
    const accepted = await small(...post(DRAWS, new Uint8Array(2 * MIB)))
    expect(await accepted.json()).toMatchObject({ code: 'invalid_protobuf' })
    for (const limit of ['', '0', '1.5', 'many']) {
      await expect(isolate({ MCB_BODY_MIB: limit })('/healthz')).rejects.toThrow('MCB_BODY_MIB must be')
    }
  })

  test('one that breaks off is not stored', async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 3) controller.enqueue(new Uint8Array(1000))
        else controller.error(new Error('the client is gone'))
      },
    })
    const answer = await isolate({})(...post(DRAWS, received(body)))
    expect(await answer.json()).toMatchObject({ status: 400, code: 'invalid_protobuf' })
    expect(await (await call('/v1/runs/http/chains/0')).json()).toMatchObject({ length })
  })
})

/** The bindings, and how many batches were sent to the database. */
function counted(): { bindings: Partial<Env>; batches: () => number } {
  let batches = 0
  const DB = new Proxy(env.DB, {
    get(target, name) {
      if (name === 'batch') batches++
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { bindings: { DB }, batches: () => batches }
}

describe('long answers', () => {
  test('a reader that stops ends the reading of the database', async () => {
    const errors = vi.spyOn(console, 'error')
    await writeChain('stopped', 24)
    const { bindings, batches } = counted()
    const answer = await isolate(bindings)('/v1/runs/stopped/chains/0/draws?var=x')
    const reader = answer.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    const atCancel = batches()
    await new Promise((resolve) => setTimeout(resolve, 300))
    // The page under way, and the one ahead.
    expect(batches()).toBeLessThanOrEqual(atCancel + 4)
    expect(errors).not.toHaveBeenCalled()
    const whole = await isolate(bindings)('/v1/runs/stopped/chains/0/draws?var=x')
    await whole.arrayBuffer()
    expect(batches()).toBeGreaterThan(atCancel + 10)
  })

  test.each(['application/x-protobuf', 'application/json'])(
    '%s that cannot be completed breaks off',
    async (accept) => {
      const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      await writeChain('broken', 24)
      const answer = await isolate({})('/v1/runs/broken/chains/0/draws?var=x', { headers: { Accept: accept } })
      expect(answer.status).toBe(200)
      const reader = answer.body?.getReader()
      await reader?.read()
      expect((await call('/v1/runs/broken', { method: 'DELETE' })).status).toBe(204)
      await expect(
        (async () => {
          while (!(await reader?.read())?.done);
        })(),
      ).rejects.toThrow()
      if (accept !== 'application/json') expect(errors).toHaveBeenCalled()
    },
  )
})

describe('failures', () => {
  test('storage that fails is 503 with Retry-After, and one line in the log', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const DB = new Proxy(env.DB, {
      get(target, name) {
        if (name === 'batch')
          return () => Promise.reject(new Error('D1_ERROR: D1 DB is overloaded.\nToo many requests.'))
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const answer = await isolate({ DB })('/healthz')
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
    const text = await answer.text()
    expect(JSON.parse(text)).toMatchObject({ code: 'storage_unavailable' })
    expect(text).not.toMatch(/D1|overloaded/)
    expect(errors).toHaveBeenCalledTimes(1)
    const [line] = errors.mock.calls[0] ?? []
    expect(line).toContain(answer.headers.get('X-Request-Id'))
    expect(line).toContain('overloaded')
    expect(line).not.toContain('\n')
  })
})
