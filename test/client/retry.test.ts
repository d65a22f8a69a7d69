/** One request through failures: those that are retried, for how long, and their errors in the end. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HttpBackend, type HttpBackendOptions, isMcbError, McbError } from '../../src/client/index.ts'
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
  // Short only where it must pass: a machine may be slow.
  const timeout = answers.some((answer) => answer === 'silent' || answer === 'late') ? 30 : 60_000
  const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: { ...EAGER, timeout }, ...options })
  return { server, backend, requests, times }
}

/** Milliseconds by which the test moves the clock at once. */
const TICK = 2

/** Moves the clock on until `work` is done; between two steps all that waits for no timer has time to happen. */
async function passing(work: Promise<unknown>): Promise<void> {
  let isDone = false
  const ending = work.finally(() => {
    isDone = true
  })
  ending.catch(() => undefined)
  while (!isDone) {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(TICK)
  }
  await ending
}

const pauses = (times: readonly number[]) => times.slice(1).map((time, i) => time - Number(times[i]))

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

  describe('pauses, on a clock that only the test moves', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    it('waits as long as Retry-After says, in seconds', async () => {
      const { backend, times } = clientOf([status(503, { 'Retry-After': '3' })], { retry: { base: 1, cap: 1 } })
      await passing(backend.getRun('none'))
      expect(pauses(times)).toEqual([expect.closeTo(3000, -1.5)])
    })

    it('waits as long as Retry-After says, as a date', async () => {
      vi.setSystemTime('2026-01-01T00:00:00Z')
      const answer = status(429, { 'Retry-After': 'Thu, 01 Jan 2026 00:00:02 GMT' })
      const { backend, times } = clientOf([answer], { retry: { base: 1, cap: 1 } })
      await passing(backend.getRun('none'))
      expect(pauses(times)).toEqual([expect.closeTo(2000, -1.5)])
    })

    it('pauses twice as long each time at most, and never more than the cap', async () => {
      const caps = [10, 20, 40, 80, 80, 80]
      const longest = caps.map(() => 0)
      for (let round = 0; round < 8; round++) {
        const answers = caps.map(() => status(503))
        const { backend, times } = clientOf(answers, { retry: { base: 10, cap: 80 } })
        await passing(backend.getRun('none'))
        expect(times).toHaveLength(caps.length + 1)
        for (const [i, ms] of pauses(times).entries()) longest[i] = Math.max(longest[i] ?? 0, ms)
      }
      for (const [i, cap] of caps.entries()) expect(longest[i]).toBeLessThanOrEqual(cap + 4 * TICK)
      // Full jitter: of eight pauses one is in the upper half but once in 256 times, of six kinds not all are below.
      expect(longest.filter((ms, i) => ms > Number(caps[i]) / 2)).not.toHaveLength(0)
    })

    it('gives up when the time for retries is over, with the last failure', async () => {
      const answers = Array.from({ length: 10_000 }, () => status(503))
      const { backend, times } = clientOf(answers, { retry: { limit: 600, base: 50, cap: 100 } })
      const given = expect(backend.getRun('none')).rejects.toMatchObject({ code: 'storage_unavailable', status: 503 })
      await passing(given)
      expect(times.length).toBeGreaterThan(6)
      expect(Number(times.at(-1)) - Number(times[0])).toBeGreaterThan(599)
      expect(Number(times.at(-1)) - Number(times[0])).toBeLessThan(600 + 4 * TICK)
    })
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
    const fields = { variable: 'x', expected: [2], actual: [3, 1] }
    const { backend } = clientOf([problem(422, { code: 'shape_mismatch', detail: 'no', ...fields })])
    await expect(backend.initRun(X)).rejects.toMatchObject({
      code: 'shape_mismatch',
      message: 'no',
      status: 422,
      fields,
    })
  })

  it.each([
    ['shape_mismatch', { variable: 'x', expected: [2] }],
    ['shape_mismatch', { variable: 'x', expected: [2], actual: ['float64'] }],
    ['draw_gap', { length: '7' }],
    ['missing_variable', {}],
  ])('does not take an answer for %s that lacks its fields: %j', async (code, fields) => {
    const { backend } = clientOf([problem(422, { code, detail: 'no', ...fields })])
    const error = await backend.initRun(X).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'internal_error', message: `no (${code})`, status: 422 })
  })

  it('tells the methods that a resource knows', async () => {
    const answer = () => new Response(null, { status: 405, headers: { Allow: 'GET , HEAD' } })
    const { backend } = clientOf([answer()])
    const error = await backend.initRun(X).catch((e: unknown) => e)
    expect(isMcbError(error, 'method_not_allowed') && error.fields.allow).toEqual(['GET', 'HEAD'])
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

  it('tries again when a page comes from an address that was right before', async () => {
    const page = () => new Response('<html>', { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
    const { backend, requests } = clientOf([undefined, page(), undefined, page(), undefined, page(), page(), undefined])
    await backend.initRun(X)
    const run = await backend.initRun({ ...X, rid: 'paged' })
    await run.initChain(0)
    expect(await backend.deleteRun('paged')).toBe(true)
    expect(requests.map(({ method }) => method)).toEqual([
      'PUT',
      'PUT',
      'PUT',
      'PUT',
      'PUT',
      'DELETE',
      'DELETE',
      'DELETE',
    ])
    expect(await backend.getRun('paged')).toBeUndefined()
  })

  it('does not take a page for a registration, or for a deletion', async () => {
    for (const doing of [
      (backend: HttpBackend) => backend.initRun(X),
      (backend: HttpBackend) => backend.deleteRun('r'),
    ]) {
      const page = new Response('<html>', { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
      const { backend, requests } = clientOf([page])
      await expect(doing(backend)).rejects.toThrow('is http://app.test the address?')
      expect(requests).toHaveLength(1)
    }
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
