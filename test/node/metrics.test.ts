/** /metrics of the Node entry: what was done is counted, by few labels, and told to whom it is for. */
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { VERSION } from '../../src/version.ts'
import { DRAWS, drawBatch, expectProblem, iterations, jsonOf, withDraws } from '../http/api.ts'
import { type Figures, figuresIn, labelsOf } from '../support/figures.ts'
import { runServer, type ServerProcess, startServer } from '../support/process.ts'
import { Raw } from '../support/raw.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const OPERATOR = 'operator-token-of-the-figures-51c9e0'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function start(env: { readonly [name: string]: string } = {}): Promise<ServerProcess> {
  const folder = newFolder()
  endings.push(() => removeFolder(folder))
  const server = await startServer({ MCB_DATA_DIR: join(folder, 'data'), ...env })
  endings.push(() => server.stop('SIGKILL'))
  return server
}

async function textOf({ api }: ServerProcess, headers = {}): Promise<string> {
  const answer = await api.get('/metrics', headers)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return answer.text()
}

const figuresOf = async (server: ServerProcess): Promise<Figures> => figuresIn(await textOf(server))

test('draws, bytes, commits and requests are counted', async () => {
  const server = await start()
  const { api } = server
  const before = await figuresOf(server)
  expect(before.get('mcb_draws_appended_total')).toBe(0)
  await withDraws(api, 500)
  const bytes = drawBatch(iterations(0, 500)).length
  const first = await figuresOf(server)
  expect(first.get('mcb_draws_appended_total')).toBe(500)
  expect(first.get('mcb_bytes_appended_total')).toBe(bytes)
  // A retry stores nothing; one that overlaps stores its end.
  await api.request('POST', DRAWS, { body: drawBatch(iterations(0, 500)) })
  const overlap = drawBatch(iterations(490, 20))
  expect((await api.request('POST', DRAWS, { body: overlap })).status).toBe(200)
  const figures = await figuresOf(server)
  expect(figures.get('mcb_draws_appended_total')).toBe(510)
  expect(figures.get('mcb_bytes_appended_total')).toBe(bytes + overlap.length)
  // Registration, chain, and two of the three batches.
  expect(figures.get('mcb_storage_commit_seconds_count')).toBe(2)
  expect(figures.get('mcb_storage_commit_seconds_sum')).toBeGreaterThan(0)
  const route = '/v1/runs/:rid/chains/:chain/draws'
  expect(figures.get(`mcb_http_requests_total{route="${route}",method="POST",status="200"}`)).toBe(3)
  expect(figures.get(`mcb_http_request_duration_seconds_count{route="${route}",method="POST"}`)).toBe(3)
  expect(figures.get(`mcb_build_info{version="${VERSION}",storage="sqlite"}`)).toBe(1)
  expect(figures.get('mcb_storage_bytes{part="database"}')).toBeGreaterThan(0)
  expect(figures.get('mcb_storage_bytes{part="log"}')).toBeGreaterThan(0)
  expect(figures.get('mcb_disk_free_bytes')).toBeGreaterThan(0)
  expect(figures.get('mcb_disk_total_bytes')).toBeGreaterThan(figures.get('mcb_disk_free_bytes') ?? 0)
})

test('memory counts as well, and has no files', async () => {
  const server = await start({ MCB_STORAGE: 'memory' })
  await withDraws(server.api, 7)
  const figures = await figuresOf(server)
  expect(figures.get('mcb_draws_appended_total')).toBe(7)
  expect([...figures.keys()].filter((name) => /^mcb_(storage_bytes|disk)/.test(name))).toEqual([])
})

test('watchers and bodies in flight are those of the moment', async () => {
  const server = await start()
  await withDraws(server.api, 1)
  const watching = new AbortController()
  const events = await fetch(`${server.url}/v1/runs/r/events`, { signal: watching.signal })
  expect(events.status).toBe(200)
  const half = new Raw(server.url)
  const type = 'Content-Type: application/x-protobuf'
  half.send(`POST ${DRAWS} HTTP/1.1\r\nHost: localhost\r\n${type}\r\nContent-Length: 100000\r\n\r\nhalf of it`)
  await expect.poll(async () => (await figuresOf(server)).get('mcb_bodies_in_flight_bytes')).toBeGreaterThan(0)
  const figures = await figuresOf(server)
  expect(figures.get('mcb_watchers')).toBe(1)
  expect(figures.get('mcb_bodies_arriving')).toBe(1)
  watching.abort()
  half.socket.destroy()
  await expect.poll(async () => (await figuresOf(server)).get('mcb_watchers')).toBe(0)
  await expect.poll(async () => (await figuresOf(server)).get('mcb_bodies_in_flight_bytes')).toBe(0)
})

test('nothing that a caller makes up becomes a label', async () => {
  const server = await start()
  const { api, url } = server
  await withDraws(api, 1)
  const made = Array.from({ length: 50 }, (_, i) => `made-up-${i}`)
  for (const name of made) {
    await api.get(`/v1/runs/${name}?q=${name}`)
    await api.get(`/${name}/${name}`)
    await api.get(`/metrics/${name}`)
    await api.request('PATCH', `/v1/runs/${name}/chains`, { headers: { 'X-Request-Id': name } })
  }
  for (const method of ['PROPFIND', 'MKCOL', 'LOCK']) {
    const raw = new Raw(url)
    await raw.send(`${method} /v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`).whole()
    expect(raw.statuses).toEqual([405])
  }
  await new Raw(url).send('nonsense-of-somebody\r\n\r\n').whole()
  const text = await textOf(server)
  expect(text).not.toMatch(/made-up|nonsense|PROPFIND|local"/)
  const figures = figuresIn(text)
  expect(figures.get('mcb_http_requests_total{route="none",method="GET",status="404"}')).toBe(100)
  expect(figures.get('mcb_http_requests_total{route="/v1/runs",method="other",status="405"}')).toBe(3)
  expect(figures.get('mcb_http_refused_total{status="400"}')).toBe(1)
  const document = await jsonOf(await api.get('/openapi.json'))
  const known = Object.keys(document.paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1'))
  for (const route of labelsOf(figures, 'route')) expect([...known, '/openapi.json', 'none']).toContain(route)
})

describe('with keys', () => {
  test('for the operator alone; no secret and no name is in it', async () => {
    const server = await start({ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR })
    const { api } = server
    const asOperator = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
    const bodyOf = (value: object) => new TextEncoder().encode(JSON.stringify(value))
    const post = (path: string, value: object) =>
      api.request('POST', path, { headers: asOperator, body: bodyOf(value) })
    expect((await post('/v1/tenants', { tenant: 'tenant-of-figures' })).status).toBe(201)
    const made = await jsonOf(await post('/v1/tenants/tenant-of-figures/keys', { name: 'n', scopes: ['admin'] }))
    await expectProblem(await api.get('/metrics'), 401, 'unauthorized')
    await expectProblem(await api.get('/metrics', { Authorization: 'Bearer guess' }), 401, 'unauthorized')
    await expectProblem(await api.get('/metrics', { Authorization: `Bearer ${made.key}` }), 403, 'forbidden')
    await api.get('/v1/runs/run-of-figures', { Authorization: `Bearer ${made.key}` })
    const text = await textOf(server, asOperator)
    for (const secret of [OPERATOR, made.key, made.id, 'tenant-of-figures', 'run-of-figures', 'guess']) {
      expect(text).not.toContain(secret)
    }
    expect(text).toContain('mcb_http_requests_total{route="/metrics",method="GET",status="401"} 2')
  })
})

/** An address of this machine that is not of loopback. */
const ADDRESS = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

describe('without keys', () => {
  testUnless(ADDRESS === undefined ? 'this machine has no address but those of loopback' : undefined)(
    'not for callers from elsewhere',
    async () => {
      const server = await start({ MCB_AUTH: 'open', HOST: '0.0.0.0', MCB_STORAGE: 'memory' })
      const { port } = new URL(server.url)
      await expectProblem(await fetch(`http://${ADDRESS}:${port}/metrics`), 403, 'forbidden')
      expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
    },
  )

  test.each(['X-Forwarded-For', 'Forwarded', 'Via', 'X-Real-IP'])('not through a proxy: %s', async (header) => {
    const server = await start({ MCB_STORAGE: 'memory' })
    await expectProblem(await server.api.get('/metrics', { [header]: '127.0.0.1' }), 403, 'forbidden')
  })

  test('MCB_METRICS=off: there is no such path', async () => {
    const server = await start({ MCB_METRICS: 'off', MCB_STORAGE: 'memory' })
    await expectProblem(await server.api.get('/metrics'), 404, 'not_found')
  })
})

describe('a port of its own', () => {
  test('gives the figures without a token, and nothing else', async () => {
    const server = await start({ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR, MCB_METRICS_PORT: '0' })
    const url = /figures: (\S+)\/metrics/.exec(server.output())?.[1] ?? ''
    expect(new URL(url).hostname).toBe('127.0.0.1')
    const answer = await fetch(`${url}/metrics`)
    expect(answer.status).toBe(200)
    expect(figuresIn(await answer.text()).get('mcb_watchers')).toBe(0)
    for (const path of ['/', '/healthz', '/v1/runs', '/v1/tenants', '/docs']) {
      await expectProblem(
        await fetch(url + path, { headers: { Authorization: `Bearer ${OPERATOR}` } }),
        404,
        'not_found',
      )
    }
    await expectProblem(
      await fetch(`${url}/metrics`, { headers: { Origin: 'http://evil.test' } }),
      421,
      'misdirected_request',
    )
    const raw = new Raw(url)
    await raw.send('GET /metrics HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n').whole()
    expect(raw.statuses).toEqual([421])
    await expectProblem(await server.api.get('/metrics'), 401, 'unauthorized')
    expect(await server.stop()).toBe(0)
  })

  test.each([
    [{ MCB_METRICS: 'maybe' }, ['MCB_METRICS', '"maybe"']],
    [{ MCB_METRICS_PORT: '65536' }, ['MCB_METRICS_PORT', '"65536"']],
    [{ MCB_METRICS: 'off', MCB_METRICS_PORT: '0' }, ['MCB_METRICS=off', 'MCB_METRICS_PORT']],
    [{ MCB_MIN_FREE_MIB: '-1' }, ['MCB_MIN_FREE_MIB', '"-1"']],
    [{ MCB_MIN_FREE_MIB: 'all' }, ['MCB_MIN_FREE_MIB', '"all"']],
  ])('%j: it says so in one sentence, and does not start', async (env, parts) => {
    const { code, output } = await runServer({ MCB_STORAGE: 'memory', ...env })
    expect(code).toBe(1)
    expect(output.trim().split('\n')).toHaveLength(1)
    for (const part of parts) expect(output).toContain(part)
  })

  test('that is taken', async () => {
    const server = await start({ MCB_STORAGE: 'memory' })
    const { port } = new URL(server.url)
    const { code, output } = await runServer({ MCB_STORAGE: 'memory', MCB_METRICS_PORT: port })
    expect(code).toBe(1)
    expect(output).toContain(`port ${port} of 127.0.0.1 is taken; set MCB_METRICS_PORT to another one.`)
  })
})
