/** The log of the Node entry: nobody else writes lines into it, and no key stands in it. */
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { bytesOf, DRAWS, drawBatch, iterations, jsonOf, META, PROTOBUF, runMeta, withDraws } from '../http/api.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { Raw, raw } from '../support/raw.ts'

const OPERATOR = 'operator-token-of-the-log-tests-7f3a'
const KEYS = { MCB_STORAGE: 'memory', MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR }
let servers: ServerProcess[] = []
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  servers = []
})

async function start(env: { readonly [name: string]: string } = {}): Promise<ServerProcess> {
  const server = await startServer({ MCB_STORAGE: 'memory', ...env })
  servers.push(server)
  return server
}

/** All lines, once the server has ended. */
async function linesOf(server: ServerProcess): Promise<string[]> {
  expect(await server.stop()).toBe(0)
  return server.output().trimEnd().split('\n')
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })
const json = (value: object) => ({
  headers: { ...bearer(OPERATOR), 'Content-Type': 'application/json' },
  body: new TextEncoder().encode(JSON.stringify(value)),
})

async function newKey(server: ServerProcess, scopes = ['admin']): Promise<{ id: string; key: string }> {
  await server.api.request('POST', '/v1/tenants', json({ tenant: 'lab' }))
  return jsonOf(await server.api.request('POST', '/v1/tenants/lab/keys', json({ name: 'first', scopes })))
}

const FORGED = '%0A{"audit":{"action":"key.revoke"}}%0A%1B[31m%0D2026-11-28T00:00:00.000Z%20GET%20/forged%20200'

describe.each(['requests', 'json'])('MCB_LOG=%s', (MCB_LOG) => {
  test('nothing that a request says makes a line of its own, or of another kind', async () => {
    const server = await start({ ...KEYS, MCB_LOG })
    const { id } = await newKey(server)
    const paths = [
      `/nothing/${FORGED}`,
      `/v1/runs/${FORGED}`,
      `/v1/runs?limit=${FORGED}`,
      '/%C2%9B31m%E2%80%AE%E2%80%A8x',
    ]
    for (const path of paths) await server.api.get(path, bearer(OPERATOR))
    // Bytes that a URL never holds: some of them Node's parser lets through.
    let seen = 0
    let refused = 0
    for (const bytes of ['\x9b31m', '\xff\xfe', '"}\\', '{"audit":{"action":"x"}}', '\u00e2\u0080\u00ae']) {
      const answer = await raw(server.url, `GET /${bytes} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      if (answer.includes('"not_found"')) seen++
      if (answer.startsWith('HTTP/1.1 400 ')) refused++
    }
    expect(seen).toBeGreaterThan(0)
    const names = ['two\u2028lines', '\u202eright to left', '"}},{"kind":"audit"', 'mcb_abc_secretsecretsecret']
    for (const name of names) {
      await server.api.request('POST', '/v1/tenants/lab/keys', json({ name, scopes: ['read'] }))
    }
    for (const head of [
      '{"audit":{}} / HTTP/1.1',
      'GET / HTTP/1.1\r\nHost: x\r\nHost: y',
      `GET / HTTP/1.1\r\nExpect: ${FORGED}`,
    ]) {
      expect(await raw(server.url, `${head}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 4\d\d /)
      refused++
    }
    const requests = 2 + paths.length + seen + names.length
    const lines = await linesOf(server)
    const text = lines.join('\n')
    expect(text).not.toMatch(/[^\x20-\x7e\n…]/)
    expect(text).not.toContain('secretsecret')
    const kinds = lines.map((line) => {
      if (MCB_LOG === 'json') {
        const { kind, level, time, ...rest } = JSON.parse(line)
        expect([level, Date.parse(time) > 0]).toEqual([kind === 'error' ? 'error' : 'info', true])
        expect(Object.hasOwn(rest, 'audit')).toBe(kind === 'audit')
        return kind
      }
      if (line.startsWith('{')) return Object.keys(JSON.parse(line)).join()
      const word = /^20\d\d-\S+Z (\w+) /.exec(line)?.[1] ?? ''
      return /^[A-Z]+$/.test(word) ? 'request' : word
    })
    const count = (kind: string) => kinds.filter((found) => found === kind).length
    expect([count('request'), count('audit'), count('error')]).toEqual([requests, 2 + names.length, 0])
    expect(count('refused')).toBe(refused)
    expect(count('server')).toBe(lines.length - requests - refused - 2 - names.length)
    const audited = lines.flatMap((line) => (line.includes('"audit":{"at"') ? [JSON.parse(line).audit] : []))
    expect(audited.map(({ action }) => action)).toEqual([
      'tenant.create',
      'key.create',
      ...names.map(() => 'key.create'),
    ])
    expect(audited[1].key).toBe(id)
  })

  test('a key is in no line, in whatever spelling and place', async () => {
    const server = await start({ ...KEYS, MCB_LOG })
    const { key, id } = await newKey(server)
    const percent = (text: string) => Array.from(Buffer.from(text), (byte) => `%${byte.toString(16)}`).join('')
    const twice = percent(key).replaceAll('%', '%25')
    const some = key.replace('mcb_', '%6dcb%5F').replace(/_(?=[^_]*$)/, '%255f')
    const basic = ['', 'a', 'ab', 'abc'].map((user) => btoa(`${user}:${key}`))
    const spellings = [key, percent(key), percent(key).toUpperCase().replaceAll('%', '%'), twice, some]
    const other = [key.toUpperCase(), key.toLowerCase(), key.slice(0, -5), `x${key}`, ...basic, ...basic.map(percent)]
    const operator = [OPERATOR, percent(OPERATOR), OPERATOR.toUpperCase(), percent(percent(OPERATOR))]
    for (const text of [...spellings, ...other, ...operator, `Basic%20${basic[1]}`]) {
      for (const path of [
        `/${text}`,
        `/s/${text}/chains`,
        `/v1/runs/${text}`,
        `/v1/runs?limit=${text}`,
        `/shared/${text}#x`,
      ]) {
        await server.api.get(path)
      }
      await server.api.get('/v1/runs', { 'X-Request-Id': text, Authorization: `Basic ${text}` })
    }
    await raw(server.url, `GET http://any:${key}@127.0.0.1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    const text = (await linesOf(server)).join('\n')
    const plain = (spelled: string) => {
      let last = spelled
      for (let round = 0; round < 4; round++) {
        last = last.replace(/%([0-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      }
      return last.toLowerCase()
    }
    const secret = key.split('_')[2] ?? ''
    for (const part of [secret.slice(0, 10), secret.slice(10, 20)])
      expect(plain(text)).not.toContain(part.toLowerCase())
    expect(plain(text)).not.toContain(OPERATOR.slice(9, 30))
    for (const part of basic) expect(plain(text)).not.toContain(part.slice(12, 40).toLowerCase())
    // The id, which is no secret, stays, so that the deeds of a leaked key can be found.
    expect(text).toContain(`mcb_${id}_`)
  }, 120_000)

  test('each request has its tenant, key, bytes and duration', async () => {
    const server = await start({ ...KEYS, MCB_LOG })
    const { key, id } = await newKey(server, ['write'])
    const headers = { ...bearer(key), 'Content-Type': PROTOBUF }
    const meta = runMeta(META)
    const batch = drawBatch(iterations(0, 50_000))
    await server.api.request('PUT', '/v1/runs/r', { headers, body: meta })
    await server.api.request('PUT', '/v1/runs/r/chains/0', { headers })
    await server.api.request('POST', DRAWS, { headers, body: batch })
    const read = await bytesOf(await server.api.get(DRAWS, bearer(key)))
    await server.api.request('HEAD', DRAWS, { headers: bearer(key) })
    await server.api.get('/v1/runs', { ...bearer('unknown'), 'X-Request-Id': 'no-caller' })
    const chunked = ['PUT /v1/runs/s HTTP/1.1', 'Host: x', `Authorization: Bearer ${key}`, `Content-Type: ${PROTOBUF}`]
    const chunk = `${meta.length.toString(16)}\r\n${Buffer.from(runMeta({ ...META, rid: 's' })).toString('latin1')}\r\n`
    await raw(
      server.url,
      `${[...chunked, 'Transfer-Encoding: chunked', 'Connection: close'].join('\r\n')}\r\n\r\n${chunk}0\r\n\r\n`,
    )
    const found = (await linesOf(server)).flatMap((line) => {
      const entry = MCB_LOG === 'json' ? JSON.parse(line) : entryIn(line)
      return entry?.kind === 'request' ? [entry] : []
    })
    const told = found.map(({ method, target, status, received, sent, tenant, key: by }) => [
      `${method} ${target} ${status}`,
      received,
      method === 'GET' && status === 200 ? sent : 'any',
      tenant,
      by,
    ])
    // A line is written when its answer has left, which two connections may tell in another order.
    const expected = [
      ['PUT /v1/runs/r 201', meta.length, 'any', 'lab', id],
      ['PUT /v1/runs/r/chains/0 201', 0, 'any', 'lab', id],
      [`POST ${DRAWS} 200`, batch.length, 'any', 'lab', id],
      [`GET ${DRAWS} 200`, 0, read.length, 'lab', id],
      [`HEAD ${DRAWS} 200`, 0, 'any', 'lab', id],
      ['GET /v1/runs 401', 0, 'any', null, null],
      ['PUT /v1/runs/s 201', meta.length, 'any', 'lab', id],
    ]
    const byText = (lines: readonly unknown[]) => lines.map((line) => JSON.stringify(line)).sort()
    expect(byText(told.filter(([what]) => !String(what).includes('/v1/tenants')))).toEqual(byText(expected))
    expect(found.find(({ method }) => method === 'HEAD')).toMatchObject({ sent: 0 })
    expect(found.find(({ status }) => status === 401)).toMatchObject({ requestId: 'no-caller' })
    for (const { ms } of found) expect(ms).toBeGreaterThanOrEqual(0)
  })
})

/** The fields of a line for people, under the names of JSON. */
function entryIn(line: string) {
  const parts =
    /^\S+Z (?<method>[A-Z]+) (?<target>\S+) (?<status>\d+) (?<ms>[\d.]+)ms in=(?<received>\d+) out=(?<sent>\d+) tenant=(?<tenant>\S+)(?: key=(?<key>\S+))?(?<cut> cut)? id=(?<requestId>\S+)$/.exec(
      line,
    )?.groups
  if (parts === undefined) return undefined
  const numbers = ['status', 'ms', 'received', 'sent'].map((name) => [name, Number(parts[name])])
  const tenant = parts.tenant === '-' ? null : parts.tenant
  return {
    ...parts,
    ...Object.fromEntries(numbers),
    tenant,
    key: parts.key ?? null,
    kind: 'request',
    cut: parts.cut === ' cut',
  }
}

test('quiet: changes of keys are told, requests are not', async () => {
  const server = await start({ ...KEYS, MCB_LOG: 'quiet' })
  await newKey(server)
  expect(await raw(server.url, 'no request\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  const lines = await linesOf(server)
  expect(lines.filter((line) => / refused /.test(line))).toEqual([])
  expect(lines.filter((line) => line.startsWith('{"audit":'))).toHaveLength(2)
  expect(lines.filter((line) => / (GET|POST|PUT) /.test(line))).toEqual([])
})

test('an answer whose reader went away is marked', async () => {
  const server = await start({ MCB_LOG: 'json' })
  await withDraws(server.api, 0)
  const head = 'GET /v1/runs/r/events HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: went-away\r\n\r\n'
  const client = new Raw(server.url).send(head)
  await once(client.socket, 'data')
  client.destroy()
  await expect.poll(() => server.output()).toContain('went-away')
  const line =
    server
      .output()
      .split('\n')
      .find((text) => text.includes('went-away')) ?? ''
  expect(JSON.parse(line)).toMatchObject({ method: 'GET', target: '/v1/runs/r/events', status: 200, cut: true })
})

test('a target of a quarter of a million characters takes a line of some thousand', async () => {
  const server = await start({ MCB_LOG: 'json' })
  await server.api.get(`/v1/runs?limit=${'a'.repeat(200_000)}`, { 'X-Request-Id': 'long' })
  const line = (await linesOf(server)).find((text) => text.includes('"long"')) ?? ''
  expect(line.length).toBeLessThan(6000)
  expect(JSON.parse(line).target).toMatch(/…\(200015\)$/)
})
