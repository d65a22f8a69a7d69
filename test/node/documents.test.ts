/** Metadata of many MiB as answers that nobody takes: there is a bound for all of them, and none of it is the writers'. */
import { afterEach, expect, test } from 'vitest'
import { type Api, drawBatch, expectProblem, iterations, META, PROTOBUF, runMeta } from '../http/api.ts'
import { Raw } from '../support/raw.ts'
import { type Served, serve } from './serve.ts'

const MIB = 1024 * 1024
let served: Served | undefined
const clients: Raw[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await served?.server.close()
})

const large = (rid: string) =>
  runMeta({
    ...META,
    rid,
    attributes: { a: { ndarrayValue: { data: new Uint8Array(10 * MIB), dtype: 'int8', shape: [10 * MIB] } } },
  })

function deaf({ server }: Served, request: string, body?: Uint8Array): void {
  const raw = new Raw(server.url)
  clients.push(raw)
  raw.socket.pause()
  raw.send(request)
  if (body !== undefined) raw.send(body)
}

/** An answer that is not taken would be one of those that keep memory. */
async function statusOfRun(api: Api): Promise<number> {
  const response = await api.get('/v1/runs/r')
  await response.arrayBuffer()
  return response.status
}

test.each(['GET', 'POST'])(
  'the metadata that %s answers with is bounded until it is taken',
  async (method) => {
    served = await serve({ documentsBytes: 48 * MIB })
    const { api, bodies } = served
    expect((await api.request('PUT', '/v1/runs/r', { body: large('r') })).status).toBe(201)
    expect((await api.request('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
    const body = large('')
    const request =
      method === 'GET'
        ? 'GET /v1/runs/r HTTP/1.1\r\nHost: x\r\n\r\n'
        : `POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${body.length}\r\n\r\n`
    const all = served
    const another = () => deaf(all, request, method === 'GET' ? undefined : body)
    for (let i = 0; i < 8; i++) another()
    // Four of 10 MiB fit; their bytes are not taken from those for bodies.
    const look = async () => {
      const status = await statusOfRun(api)
      // A look takes room as well, for which one of the others may have been refused.
      if (status === 200) another()
      return status
    }
    await expect.poll(look, { timeout: 100_000 }).toBe(503)
    await expectProblem(await api.get('/v1/runs/r'), 503, 'overloaded')
    await expect.poll(() => bodies.bytes).toBe(0)
    const append = await api.request('POST', '/v1/runs/r/chains/0/draws', { body: drawBatch(iterations(0, 3)) })
    expect(append.status).toBe(200)
    for (const client of clients) client.destroy()
    await expect.poll(() => statusOfRun(api)).toBe(200)
  },
  240_000,
)
