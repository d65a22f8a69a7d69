/** The Worker with a bucket that its storage has no use for. */
import { createExecutionContext } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { createWorker } from '../../../src/worker/handler.ts'
import { apiOf, batchOf, drawBatch, runMeta } from '../../http/api.ts'
import { d1Only } from '../local.ts'
import { keysUnder } from './look.ts'

const OPERATOR = 'operator-token-of-the-worker-tests'

test.each([
  ['in open mode', { MCB_AUTH: 'open' }],
  ['with keys', { MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR }],
])('D1 alone serves as without it, %s', async (_, access) => {
  const worker = createWorker()
  const bindings = { ...d1Only, ...access }
  const api = apiOf((request) => worker.fetch(request, bindings, createExecutionContext()), 'http://worker.test')
  const headers: Record<string, string> = {}
  if ('MCB_OPERATOR_TOKEN' in access) {
    const byOperator = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
    const post = async (path: string, body: object) =>
      api.request('POST', path, { headers: byOperator, body: new TextEncoder().encode(JSON.stringify(body)) })
    expect((await post('/v1/tenants', { tenant: 'modes' })).status).toBe(201)
    const made = await post('/v1/tenants/modes/keys', { name: 'first', scopes: ['admin'] })
    headers.Authorization = `Bearer ${JSON.parse(await made.text()).key}`
  }
  const send = (method: string, path: string, body?: Uint8Array<ArrayBuffer>) => {
    const type = body && { 'Content-Type': 'application/x-protobuf' }
    return api.request(method, `/v1/runs/modes${path}`, { headers: { ...headers, ...type }, ...(body && { body }) })
  }
  const meta = runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [8192] }] })
  expect((await send('PUT', '', meta)).status).toBe(201)
  expect((await send('PUT', '/chains/0')).status).toBe(201)
  const data = new Uint8Array(Float64Array.from({ length: 8192 * 24 }, (__, i) => i / 3).buffer)
  const body = drawBatch({ start: 0, count: 24, draws: [{ name: 'x', dtype: 'float64', data }] })
  expect((await send('POST', '/chains/0/draws', body)).status).toBe(200)
  const read = await batchOf(await send('GET', '/chains/0/draws'))
  expect(read.draws[0]?.data).toEqual(data)
  expect((await send('DELETE', '')).status).toBe(204)
  expect((await keysUnder()).size).toBe(0)
})
