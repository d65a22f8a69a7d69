/** One request through failures: which are retried, how long, and what they become. */
import { describe, expect, it } from 'vitest'
import { HttpBackend, type HttpBackendOptions, McbError } from '../../src/client/index.ts'
import { EAGER, type Fault, faultyNetwork, startApp, storedChain, URL_OF_APP } from './server.ts'

const X = { rid: 'run', variables: [{ name: 'x', dtype: 'float64' }] }

function clientOf(answers: (Response | Error | Fault | undefined)[], options: Partial<HttpBackendOptions> = {}) {
  const server = startApp()
  const times: number[] = []
  const requests: Request[] = []
  let answer: Response | Error | Fault | undefined
  const network = faultyNetwork(server.fetch, () => (typeof answer === 'string' ? answer : undefined))
  const fetch = async (request: Request) => {
    times.push(performance.now())
    requests.push(request.clone())
    answer = answers.shift()
    if (answer instanceof Response) return answer
    if (answer instanceof Error) throw answer
    return network.fetch(request)
  }
  const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: { ...EAGER, timeout: 30 }, ...options })
  return { server, backend, requests, times }
}

const status = (code: number, headers: Record<string, string> = {}) => new Response('x', { status: code, headers })

describe('transient failures', () => {
  it.each([408, 429, 502, 503, 504])('tries again after %d', async (code) => {
    const { backend, requests } = clientOf([status(code), status(code)])
    expect(await backend.getRun('none')).toBeUndefined()
    expect(requests).toHaveLength(3)
  })

  it.each(['refused', 'lost', 'cut', 'broken', 'silent', 'twice'] as const)(
    'registers a run once through: %s',
    async (fault) => {
      const { backend, server } = clientOf([fault, fault, undefined])
      const run = await backend.initRun(X)
      expect((await server.backend.getRun('run'))?.registration).toBe(run.registration)
      const chain = await run.initChain(0)
      expect(await chain.length()).toBe(0)
    },
  )

  it.each([400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 500, 501])('does not try again after %d', async (code) => {
    const { backend, requests } = clientOf([status(code)])
    await expect(backend.initRun(X)).rejects.toBeInstanceOf(McbError)
    expect(requests).toHaveLength(1)
  })

  it('waits as long as Retry-After says, in seconds', async () => {
    const { backend, times } = clientOf([status(503, { 'Retry-After': '1' })])
    await backend.getRun('none')
    expect(Number(times[1]) - Number(times[0])).toBeGreaterThan(990)
  })

  it('waits as long as Retry-After says, as a date', async () => {
    // Dates have whole seconds: two from now are more than one.
    const date = new Date(Date.now() + 2000).toUTCString()
    const { backend, times } = clientOf([status(429, { 'Retry-After': date })])
    await backend.getRun('none')
    expect(Number(times[1]) - Number(times[0])).toBeGreaterThan(900)
  })

  it('pauses twice as long each time at most, and never more than the cap', async () => {
    const answers = Array.from({ length: 7 }, () => status(503))
    const { backend, times } = clientOf(answers, { retry: { base: 4, cap: 32 } })
    await backend.getRun('none')
    const pauses = times.slice(1).map((t, i) => t - Number(times[i]))
    // Timers may fire late, and a full jitter may make a pause as short as nothing: only a bound on the sum is sure.
    expect(pauses).toHaveLength(7)
    expect(pauses.reduce((a, b) => a + b)).toBeLessThan(4 + 8 + 16 + 4 * 32 + 7 * 20)
    expect(Math.max(...pauses)).toBeGreaterThan(1)
  })

  it('gives up when the time for retries is over, with the last failure', async () => {
    const answers = Array.from({ length: 10_000 }, () => status(503))
    const { backend, times } = clientOf(answers, { retry: { limit: 60, base: 5, cap: 10 } })
    await expect(backend.getRun('none')).rejects.toMatchObject({ code: 'storage_unavailable', status: 503 })
    expect(times.length).toBeGreaterThan(3)
    expect(Number(times.at(-1)) - Number(times[0])).toBeGreaterThan(50)
    expect(Number(times.at(-1)) - Number(times[0])).toBeLessThan(1000)
  })

  it('does not wait for a Retry-After beyond that time', async () => {
    const { backend, requests } = clientOf([status(429, { 'Retry-After': '3600' })], { retry: { limit: 1000 } })
    const error = await backend.getRun('none').catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'rate_limited', fields: { retryAfter: 3600 } })
    expect(requests).toHaveLength(1)
  })

  it('with a limit of 0 never tries again', async () => {
    const { backend, requests } = clientOf([new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })], {
      retry: { limit: 0 },
    })
    await expect(backend.getRun('none')).rejects.toMatchObject({
      code: 'storage_unavailable',
      message: `${URL_OF_APP} cannot be reached: fetch failed: ECONNREFUSED`,
    })
    expect(requests).toHaveLength(1)
  })

  it('names the time when no answer comes', async () => {
    const { backend } = clientOf(['silent'], { retry: { limit: 0, timeout: 20 } })
    await expect(backend.getRun('none')).rejects.toThrow('no answer within 20 ms')
  })

  it.each(['silent', 'unavailable'] as const)('ends at once when the signal is aborted (%s)', async (fault) => {
    const controller = new AbortController()
    const retry = { limit: Number.POSITIVE_INFINITY, base: 1e6, cap: 1e6, timeout: Number.POSITIVE_INFINITY }
    const { backend } = clientOf(
      Array.from({ length: 50 }, () => fault),
      { retry, signal: controller.signal },
    )
    const waiting = backend.getRun('none')
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(waiting).rejects.toThrow('enough')
    await expect(backend.getRun('none')).rejects.toThrow('enough')
  })
})

describe('what a lost answer may have done', () => {
  it.each(['lost', 'cut', 'broken'] as const)('counts a deletion as done (%s)', async (fault) => {
    const { backend, server } = clientOf([undefined, fault])
    await backend.initRun(X)
    expect(await backend.deleteRun('run')).toBe(true)
    expect(await server.backend.getRun('run')).toBeUndefined()
    expect(await backend.deleteRun('run')).toBe(false)
  })

  it.each(['lost', 'cut', 'broken', 'twice', 'late'] as const)('stores a batch once (%s)', async (fault) => {
    const { backend, server } = clientOf([undefined, undefined, fault, fault])
    const chain = await (await backend.initRun(X)).initChain(0)
    const data = new Float64Array([1, 2, 3])
    const batch = { count: 3, draws: new Map([['x', { dtype: 'float64', shape: [3], data } as const]]) }
    expect(await chain.appendBatch(batch)).toBe(3)
    expect(await (await storedChain(server, 'run')).getDraws('x')).toMatchObject({ data })
  })
})

describe('errors', () => {
  const problem = (code: number, body: object) =>
    new Response(JSON.stringify(body), { status: code, headers: { 'Content-Type': 'application/problem+json' } })

  it('keeps code and fields of a problem', async () => {
    const fields = { variable: 'x', expected: [2], actual: [3, 1], limit: 5, length: 7 }
    const { backend } = clientOf([problem(422, { code: 'shape_mismatch', detail: 'no', ...fields })])
    await expect(backend.initRun(X)).rejects.toMatchObject({
      code: 'shape_mismatch',
      message: 'no',
      status: 422,
      fields,
    })
  })

  it('takes the status where the code is not known, and says what it was', async () => {
    const { backend } = clientOf([problem(418, { code: 'teapot', detail: 'short and stout' })])
    const error = await backend.initRun(X).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'internal_error', status: 418, message: 'short and stout (teapot)' })
  })

  it.each([
    [401, 'unauthorized'],
    [413, 'payload_too_large'],
    [500, 'internal_error'],
  ])('takes the status of an answer that is no problem+json (%d)', async (code, expected) => {
    const { backend } = clientOf([status(code)])
    await expect(backend.initRun(X)).rejects.toMatchObject({ code: expected, status: code })
  })

  it('says so when something else answers at the address', async () => {
    const page = new Response('<html>', { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
    const { backend, requests } = clientOf([page])
    await expect(backend.getRun('none')).rejects.toThrow(`answered with text/html instead of application/x-protobuf`)
    expect(requests).toHaveLength(1)
  })

  it('sends a token only when there is one', async () => {
    const plain = clientOf([])
    await plain.backend.getRun('none')
    expect(plain.requests[0]?.headers.has('Authorization')).toBe(false)
    const keyed = clientOf([], { token: 'secret' })
    await keyed.backend.getRun('none')
    expect(keyed.requests[0]?.headers.get('Authorization')).toBe('Bearer secret')
  })

  it('refuses an address or a token that cannot be used', () => {
    expect(() => new HttpBackend({ url: 'localhost' })).toThrow(TypeError)
    expect(() => new HttpBackend({ url: URL_OF_APP, token: 'a\nb' })).toThrow(TypeError)
  })
})
