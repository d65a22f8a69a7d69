/** Contents of a server before schemathesis asks for them: a run with a draw and, where there are keys, tenants and a key. */
import type { Server } from './server.ts'

const PROTOBUF = 'application/x-protobuf'

const field = (number: number, content: readonly number[]) => [(number << 3) | 2, content.length, ...content]
const text = (number: number, content: string) => field(number, [...new TextEncoder().encode(content)])
const VARIABLE = [...text(1, 'x'), ...text(2, 'float64')]
const META = field(3, VARIABLE)
/** One iteration, 0. */
const BATCH = [0x10, 1, ...field(3, [...VARIABLE, ...field(3, new Array<number>(8).fill(0))])]

/** Gives the key of a tenant, whose run is called `prepared`; without keys a word in its place. */
export async function prepare(server: Server, auth: 'open' | 'keys'): Promise<string> {
  const key = auth === 'open' ? 'none' : await makeKey(server)
  const send = (method: string, path: string, body: readonly number[]) =>
    request(`${server.url}/v1/runs/prepared${path}`, method, key, PROTOBUF, new Uint8Array(body))
  await send('PUT', '', META)
  await send('PUT', '/chains/0', [])
  await send('POST', '/chains/0/draws', BATCH)
  return key
}

/** Tenants `lab` and `spare` are for the tests to change and delete. */
async function makeKey({ url, operatorToken }: Server): Promise<string> {
  const post = (path: string, body: object) =>
    request(`${url}${path}`, 'POST', operatorToken, 'application/json', JSON.stringify(body))
  for (const tenant of ['home', 'lab', 'spare']) await post('/v1/tenants', { tenant })
  const answer = await post('/v1/tenants/home/keys', { name: 'tests', scopes: ['admin'] })
  const { key }: { readonly key: string } = JSON.parse(await answer.text())
  return key
}

async function request(
  url: string,
  method: string,
  token: string,
  type: string,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type }
  const answer = await fetch(url, { method, headers, body })
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`)
  return answer
}
