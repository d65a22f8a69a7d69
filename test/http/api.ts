/** An independent client of the HTTP protocol: plain requests, messages from the generated code, and what must hold of every answer. */
import { expect } from 'vitest'
import { type AppOptions, createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { Store } from '../../src/core/store.ts'
import { mcbackend } from '../../src/core/wire/run-meta.ts'
import { StoreBackend } from '../../src/runs/backend.ts'

export const PROTOBUF = 'application/x-protobuf'
export const JSON_TYPE = 'application/json'

export type Body = Uint8Array<ArrayBuffer>

export interface RequestOptions {
  readonly headers?: { readonly [name: string]: string }
  /** Sent as protobuf unless the headers say otherwise. */
  readonly body?: Body
}

export interface Api {
  request(method: string, path: string, options?: RequestOptions): Promise<Response>
  get(path: string, headers?: { readonly [name: string]: string }): Promise<Response>
  /** The id that a run has on the server which a test calls so in its paths; another one where a server is shared. */
  rid(name: string): string
}

/** Requests to anything that has `fetch`. */
export function apiOf(send: (request: Request) => Response | Promise<Response>, origin = 'http://localhost'): Api {
  const request = async (method: string, path: string, { headers = {}, body }: RequestOptions = {}) => {
    const all = new Headers(headers)
    if (body !== undefined && !('Content-Type' in headers)) all.set('Content-Type', PROTOBUF)
    const init: RequestInit = { method, headers: all }
    if (body !== undefined) init.body = body
    return send(new Request(`${origin}${path}`, init))
  }
  return { request, get: (path, headers = {}) => request('GET', path, { headers }), rid: (name) => name }
}

export interface TestApp {
  readonly api: Api
  readonly store: Store
  /** Failures that the server has reported as its own. */
  readonly reports: unknown[]
}

/** The application over a store, or over a new one in memory. */
export function newApp({
  store,
  limits = {},
  ...more
}: { store?: Store; limits?: Partial<Limits> } & Partial<Omit<AppOptions, 'limits'>> = {}): TestApp {
  const all = { ...DEFAULT_LIMITS, ...limits }
  const used = store ?? new MemoryStore(all)
  const backend = new StoreBackend(used, all)
  const reports: unknown[] = []
  const app = createApp({
    openBackend: () => backend,
    limits: all,
    report: (_id, error) => reports.push(error),
    ...more,
  })
  return { api: apiOf((request) => app.fetch(request)), store: used, reports }
}

export function runMeta(meta: mcbackend.RunMeta.$Properties): Body {
  return new Uint8Array(mcbackend.RunMeta.encode(meta).finish())
}

export function drawBatch(batch: mcbackend.DrawBatch.$Properties): Body {
  return new Uint8Array(mcbackend.DrawBatch.encode(batch).finish())
}

export function float64(...values: number[]): Body {
  return new Uint8Array(Float64Array.from(values).buffer)
}

export type Column = mcbackend.Column.$Properties

export const column = (name: string, ...values: number[]): Column => ({
  name,
  dtype: 'float64',
  data: float64(...values),
})

/** The run of most tests: a scalar, a ragged variable, strings, and a stat. */
export const META: mcbackend.RunMeta.$Properties = {
  rid: 'r',
  variables: [
    { name: 'x', dtype: 'float64' },
    { name: 'k', dtype: 'int16', shape: [-1] },
    { name: 's', dtype: 'str' },
  ],
  sampleStats: [{ name: 'lp', dtype: 'float64' }],
}

/** Iterations of `META`: draw i has x = i, k = i mod 3 numbers, s = "s" and i, lp = -i. */
export function iterations(
  start: number,
  count: number,
  change: Partial<mcbackend.DrawBatch.$Properties> = {},
): mcbackend.DrawBatch.$Properties {
  const indices = Array.from({ length: count }, (_, i) => start + i)
  const k = indices.flatMap((i) => new Array<number>(i % 3).fill(i))
  return {
    start,
    count,
    draws: [
      column('x', ...indices),
      {
        name: 'k',
        dtype: 'int16',
        data: new Uint8Array(new Int16Array(k).buffer),
        shapes: indices.flatMap((i) => [1, i % 3]),
      },
      { name: 's', dtype: 'str', strings: indices.map((i) => `s${i}`) },
    ],
    stats: [column('lp', ...indices.map((i) => -i))],
    ...change,
  }
}

export const DRAWS = '/v1/runs/r/chains/0/draws'

/** `META` under the id that run r has on the server. */
export const metaOf = (api: Api): Body => runMeta({ ...META, rid: api.rid('r') })

/** Registers `META` and gives chain 0 some iterations. */
export async function withDraws(api: Api, count: number): Promise<void> {
  expect((await api.request('PUT', '/v1/runs/r', { body: metaOf(api) })).status).toBe(201)
  expect((await api.request('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
  if (count > 0) expect((await api.request('POST', DRAWS, { body: drawBatch(iterations(0, count)) })).status).toBe(200)
}

export async function bytesOf(response: Response): Promise<Body> {
  return new Uint8Array(await response.arrayBuffer())
}

export async function batchOf(response: Response): Promise<mcbackend.DrawBatch> {
  expect(response.status, response.ok ? '' : await response.clone().text()).toBe(200)
  return mcbackend.DrawBatch.decode(await bytesOf(response))
}

/** A JSON answer with any content. */
export async function jsonOf(response: Response): Promise<ReturnType<typeof JSON.parse>> {
  return JSON.parse(await response.text())
}

/** Everything that the server shows of its runs. */
export async function snapshot(api: Api): Promise<unknown> {
  const { runs } = await jsonOf(await api.get('/v1/runs?limit=1000'))
  const all: unknown[] = [runs]
  for (const { rid } of runs) {
    const meta = await api.get(`/v1/runs/${rid}`)
    all.push(rid, meta.headers.get('Mcb-Registration'), Buffer.from(await bytesOf(meta)).toString('hex'))
    const { chains } = await jsonOf(await api.get(`/v1/runs/${rid}/chains`))
    all.push(chains)
    for (const { chain } of chains) {
      const draws = await api.get(`/v1/runs/${rid}/chains/${chain}/draws`)
      expect(draws.status).toBe(200)
      all.push(Buffer.from(await bytesOf(draws)).toString('hex'))
    }
  }
  return all
}

/** Expects the headers that every answer carries. */
export function expectCommonHeaders(response: Response): void {
  expect(response.headers.get('X-Request-Id')).toMatch(/^[\w=-]{8,255}$/)
  expect(response.headers.get('Cache-Control')).toBe('private, no-cache')
  const packed = response.headers.has('Content-Encoding') ? ', Accept-Encoding' : ''
  expect(response.headers.get('Vary')).toBe(`Accept, Authorization${packed}`)
}

const LEAKS = /node_modules|\.ts\b|\.js\b|SELECT |INSERT |sqlite|\/root|\/work|\/tmp|\n\s+at /i

/** The answer is this problem, whole and with nothing that is not the client's business. Returns its members. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
): Promise<{ [member: string]: unknown }> {
  const text = await response.text()
  expect({ status: response.status, text }).toEqual({ status, text: expect.stringContaining(`"${code}"`) })
  expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  expectCommonHeaders(response)
  expect(response.headers.get('ETag'), 'an error is no version of the resource').toBeNull()
  expect([null, String(new TextEncoder().encode(text).length)]).toContain(response.headers.get('Content-Length'))
  expect(text).not.toMatch(LEAKS)
  expect(text.length).toBeLessThan(5000)
  const problem = JSON.parse(text)
  expect(problem).toMatchObject({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
    status,
    code,
  })
  return problem
}
