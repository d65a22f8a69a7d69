/** Runs and chains over HTTP: registering, listing, deleting, and the identity of a registration. */
import { describe, expect, test } from 'vitest'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import {
  bytesOf,
  DRAWS,
  drawBatch,
  expectProblem,
  iterations,
  JSON_TYPE,
  jsonOf,
  META,
  newApp,
  PROTOBUF,
  runMeta,
  withDraws,
} from './api.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('PUT /v1/runs/{rid}', () => {
  test('201, then 200, with the registration and nothing else', async () => {
    const { api } = newApp()
    const first = await api.request('PUT', '/v1/runs/r', { body: runMeta(META) })
    expect([first.status, first.headers.get('Location'), await first.text()]).toEqual([201, '/v1/runs/r', ''])
    const registration = first.headers.get('Mcb-Registration')
    expect(registration).toMatch(/^[\x21-\x7e]+$/)
    const again = await api.request('PUT', '/v1/runs/r', { body: runMeta({ ...META, rid: '' }) })
    expect([again.status, again.headers.get('Mcb-Registration'), await again.text()]).toEqual([200, registration, ''])
  })

  test('what is registered is given back byte for byte', async () => {
    const { api } = newApp()
    // Fields of a newer schema, fields in another order, an array whose strides lie.
    const bytes = new Uint8Array([
      ...runMeta({
        variables: META.variables ?? [],
        coordinates: [
          { name: 'd', values: { data: new Uint8Array(2), dtype: 'int8', shape: [2], strides: [7], order: 'F' } },
        ],
      }),
      0xfa,
      0x3e,
      1,
      65,
      0x0a,
      1,
      0x72,
      0x78,
      1,
    ])
    await api.request('PUT', '/v1/runs/r', { body: bytes })
    const response = await api.get('/v1/runs/r')
    expect(hex(await bytesOf(response))).toBe(hex(bytes))
    expect(response.headers.get('ETag')).toMatch(/^".+"$/)
    const without = bytes.filter((_, i) => i < bytes.length - 5 || i >= bytes.length - 2)
    await api.request('PUT', '/v1/runs/filled', { body: without })
    expect(hex(await bytesOf(await api.get('/v1/runs/filled')))).toBe(
      `0a06${hex(Buffer.from('filled'))}${hex(without)}`,
    )
  })

  test('−0 and NaN survive in JSON', async () => {
    const { api } = newApp()
    const attributes: { [key: string]: mcbackend.ExtendedValue.$Properties } = {
      zero: { numberValue: -0 },
      nan: { numberValue: Number.NaN },
      list: { listValue: { values: [{ numberValue: -0 }, { nullValue: 0 }, {}] } },
      __proto__: { stringValue: 'x' },
    }
    await api.request('PUT', '/v1/runs/r', {
      body: runMeta({ attributes: Object.fromEntries(Object.entries(attributes)) }),
    })
    const text = await (await api.get('/v1/runs/r', { Accept: JSON_TYPE })).text()
    expect(text).toContain('{"numberValue":-0}')
    expect(text).toContain('{"numberValue":"NaN"}')
    expect(text).toContain('{"listValue":[-0,null,null]}')
  })

  test('a different one is a conflict, whoever comes second', async () => {
    const { api } = newApp()
    const metas = [META, { ...META, attributes: { a: { numberValue: 1 } } }]
    const answers = await Promise.all(metas.map((meta) => api.request('PUT', '/v1/runs/r', { body: runMeta(meta) })))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
  })
})

describe('POST /v1/runs', () => {
  test('the server chooses an id that can be used', async () => {
    const { api } = newApp()
    const rids = new Set<string>()
    for (const accept of [PROTOBUF, JSON_TYPE]) {
      const response = await api.request('POST', '/v1/runs', {
        body: runMeta({ ...META, rid: '' }),
        headers: { Accept: accept, 'Content-Type': PROTOBUF },
      })
      expect(response.status).toBe(201)
      const location = response.headers.get('Location') ?? ''
      const got = await api.get(location, { Accept: accept })
      expect(got.headers.get('Mcb-Registration')).toBe(response.headers.get('Mcb-Registration'))
      expect(hex(await bytesOf(got))).toBe(hex(await bytesOf(response)))
      rids.add((await jsonOf(await api.get(location, { Accept: JSON_TYPE }))).rid)
      expect(location).toBe(`/v1/runs/${[...rids].at(-1)}`)
    }
    expect(rids.size).toBe(2)
    for (const rid of rids) expect(rid).toMatch(/^[A-Za-z0-9._~-]{8,128}$/)
  })
})

describe('GET /v1/runs', () => {
  test('lines, pages and cursors', async () => {
    const { api } = newApp()
    await withDraws(api, 4)
    for (let i = 0; i < 5; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
    const all = await jsonOf(await api.get('/v1/runs'))
    expect(Object.keys(all)).toEqual(['runs'])
    expect(all.runs.map((run: { rid: string }) => run.rid)).toEqual(['n4', 'n3', 'n2', 'n1', 'n0', 'r'])
    expect(all.runs.at(-1)).toEqual({
      rid: 'r',
      createdAt: expect.stringMatching(TIME),
      updatedAt: expect.stringMatching(TIME),
      variables: 3,
      sampleStats: 1,
      chains: 1,
      draws: 4,
      ...{ name: null, tags: [], archived: false, state: 'live', diagnostics: null },
    })
    const pages: string[][] = []
    for (let cursor: string | undefined, i = 0; i < 10; i++) {
      const page = await jsonOf(
        await api.get(`/v1/runs?limit=4${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`),
      )
      pages.push(page.runs.map((run: { rid: string }) => run.rid))
      cursor = page.nextCursor
      if (cursor === undefined) break
    }
    expect(pages).toEqual([
      ['n4', 'n3', 'n2', 'n1'],
      ['n0', 'r'],
    ])
    const exact = await jsonOf(await api.get('/v1/runs?limit=6'))
    expect(exact).not.toHaveProperty('nextCursor')
    expect((await jsonOf(await api.get('/v1/runs?limit=1000'))).runs).toHaveLength(6)
  })

  test('a hundred at a time unless told otherwise', async () => {
    const { api } = newApp()
    for (let i = 0; i < 101; i++) await api.request('PUT', `/v1/runs/n${i}`, { body: runMeta({}) })
    const page = await jsonOf(await api.get('/v1/runs'))
    expect([page.runs.length, typeof page.nextCursor]).toEqual([100, 'string'])
    const rest = await jsonOf(await api.get(`/v1/runs?cursor=${page.nextCursor}`))
    expect(rest.runs.map((run: { rid: string }) => run.rid)).toEqual(['n0'])
  })

  test('no runs', async () => {
    expect(await jsonOf(await newApp().api.get('/v1/runs'))).toEqual({ runs: [] })
  })
})

describe('chains', () => {
  test('are created, found and listed by number', async () => {
    const { api } = newApp()
    await withDraws(api, 2)
    const created = await api.request('PUT', '/v1/runs/r/chains/10')
    expect([created.status, await jsonOf(created)]).toEqual([
      201,
      { chain: 10, length: 0, updatedAt: expect.stringMatching(TIME) },
    ])
    await api.request('PUT', '/v1/runs/r/chains/9', { headers: { 'If-None-Match': '*' } })
    const found = await api.request('PUT', '/v1/runs/r/chains/0')
    expect([found.status, await jsonOf(found)]).toEqual([
      200,
      { chain: 0, length: 2, updatedAt: expect.stringMatching(TIME) },
    ])
    expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toEqual({
      chain: 0,
      length: 2,
      updatedAt: expect.stringMatching(TIME),
    })
    const { chains } = await jsonOf(await api.get('/v1/runs/r/chains'))
    expect(chains.map(({ chain, length }: { chain: number; length: number }) => [chain, length])).toEqual([
      [0, 2],
      [9, 0],
      [10, 0],
    ])
    expect((await api.request('PUT', '/v1/runs/r/chains/2147483647')).status).toBe(201)
  })

  test('other values of If-None-Match than * do not matter', async () => {
    const { api } = newApp()
    await withDraws(api, 0)
    expect((await api.request('PUT', '/v1/runs/r/chains/0', { headers: { 'If-None-Match': '"x"' } })).status).toBe(200)
  })
})

describe('a registration', () => {
  test('is gone with its run, and the next one is another', async () => {
    const { api } = newApp()
    await withDraws(api, 3)
    const old = (await api.get('/v1/runs/r')).headers.get('Mcb-Registration') ?? ''
    const headers = { 'Mcb-Registration': old }
    for (const [method, path] of [
      ['GET', '/v1/runs/r'],
      ['GET', DRAWS],
      ['PUT', '/v1/runs/r/chains/0'],
      ['GET', '/v1/runs/r/chains'],
    ] as const) {
      expect((await api.request(method, path, { headers })).status).toBe(200)
    }
    const deleted = await api.request('DELETE', '/v1/runs/r')
    expect([deleted.status, await deleted.text()]).toEqual([204, ''])
    await expectProblem(await api.request('DELETE', '/v1/runs/r'), 404, 'run_not_found')
    for (const path of ['/v1/runs/r', '/v1/runs/r/chains', '/v1/runs/r/chains/0', DRAWS]) {
      await expectProblem(await api.get(path, headers), 404, 'run_not_found')
    }
    const append = () =>
      api.request('POST', DRAWS, {
        body: drawBatch(iterations(0, 1)),
        headers: { ...headers, 'Content-Type': PROTOBUF },
      })
    await expectProblem(await append(), 404, 'run_not_found')

    const registered = await api.request('PUT', '/v1/runs/r', { body: runMeta(META) })
    expect([registered.status, registered.headers.get('Mcb-Registration') === old]).toEqual([201, false])
    // The chain is missing: that comes before the precondition.
    await expectProblem(await append(), 404, 'chain_not_found')
    expect((await api.request('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
    await expectProblem(await append(), 412, 'run_replaced')
    await expectProblem(await api.get(DRAWS, headers), 412, 'run_replaced')
    await expectProblem(await api.request('PUT', '/v1/runs/r/chains/1', { headers }), 412, 'run_replaced')
    expect(await jsonOf(await api.get('/v1/runs/r/chains'))).toMatchObject({ chains: [{ chain: 0, length: 0 }] })
    expect((await api.request('POST', DRAWS, { body: drawBatch(iterations(0, 1)) })).status).toBe(200)
  })
})

test('the document names every route, and its page shows it', async () => {
  const { api } = newApp()
  const document = await jsonOf(await api.get('/openapi.json'))
  expect(document.openapi).toMatch(/^3\./)
  const operations = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  )
  const contract = [
    'delete /v1/runs/{rid}',
    'get /healthz',
    'get /v1/runs',
    'get /v1/runs/{rid}',
    'get /v1/runs/{rid}/chains',
    'get /v1/runs/{rid}/chains/{chain}',
    'get /v1/runs/{rid}/chains/{chain}/draws',
    'post /v1/runs',
    'post /v1/runs/{rid}/chains/{chain}/draws',
    'put /v1/runs/{rid}',
    'put /v1/runs/{rid}/chains/{chain}',
  ]
  expect(operations).toEqual(expect.arrayContaining(contract))
  const page = await api.get('/docs')
  expect([page.status, page.headers.get('Content-Type')?.split(';')[0]]).toEqual([200, 'text/html'])
  const html = await page.text()
  for (const operation of operations) expect(html).toContain(operation.split(' ')[1])
  expect(html).not.toMatch(/src="http|href="http/)
})
