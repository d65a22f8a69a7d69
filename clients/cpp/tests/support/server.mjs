#!/usr/bin/env node
/**
 * A server for tests of the C++ client, and what may stand between the two: a proxy that fails, one that ends TLS, one that
 * forwards. It starts the server of this checkout, or stands before MCB_URL. Commands come as lines of JSON on standard input,
 * each is answered by a line; everything ends with the input.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { parseArgs } from 'node:util'

const USAGE = `usage: server.mjs [--keys] [--tls] [--client-certificate] [--forward]

  --keys                 the server asks for keys; the first line has one as "key"
  --tls                  a proxy that ends TLS, as "tls", whose authority is the file "ca", and in the folder "authorities"
  --client-certificate   that proxy demands the certificate "certificate" with "privateKey"
  --forward              a proxy for HTTP that asks for name and password, as "forward"

The first line has "server" and "proxy", addresses. Commands:
  {"do":"plan","fault":"lost","count":2,"method":"POST","path":"/draws"}   the next two of these requests fail so
  {"do":"chance","of":0.3}                                                 each request fails by chance
  {"do":"limit","bytes":4096}                                              larger bodies are refused; "page" as a proxy does it
  {"do":"pace","bytes":4096,"fault":"clogged"}                             larger bodies never get through; "late" tells so
  {"do":"reset"}                                                           no faults, and nothing seen
  {"do":"seen"}                                                            the requests that have come to the proxy
  {"do":"kill"}                                                            SIGKILL, and a start on the same folder and port`

const { values: options } = parseArgs({
  options: {
    keys: { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
    'client-certificate': { type: 'boolean', default: false },
    forward: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (options.help) {
  console.log(USAGE)
  process.exit(0)
}

const CHECKOUT = process.env.MCB_CHECKOUT ?? resolve(import.meta.dirname, '../../../..')
const OPERATOR = 'operator-token-of-a-test-0123456789abcdef'
const CREDENTIALS = 'reader:secret'
const PAGE = '<html><body>Please sign in to use this network.</body></html>'
const folder = mkdtempSync(join(tmpdir(), 'mcbackend-cpp-'))
const sockets = new Set()
const servers = []

// --- The server of the checkout, a process that can be killed.

let child
let port = '0'

async function startServer() {
  const keys = options.keys ? { MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR } : { MCB_AUTH: 'open' }
  const own = { HOST: '127.0.0.1', PORT: port, MCB_DATA_DIR: join(folder, 'data'), MCB_STORAGE: 'sqlite' }
  child = spawn(process.execPath, [join(CHECKOUT, 'src/node.ts')], {
    env: { ...process.env, ...own, ...keys, MCB_LOG: 'quiet', MCB_MIN_FREE_MIB: '0', MCB_METRICS: 'off' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  const { promise, resolve: found, reject } = Promise.withResolvers()
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    const url = /listening on (http:\/\/[\d.:]+)/.exec(said)?.[1]
    if (url !== undefined) found(url)
  })
  child.once('exit', (code, signal) => reject(new Error(`the server ended with ${code ?? signal}: ${said}`)))
  const url = await promise
  port = new URL(url).port
  return url
}

async function killServer() {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

// --- Faults between the client and it.

let plans = []
let chance = 0
let limit = { bytes: Number.POSITIVE_INFINITY, page: false }
let pace = { bytes: Number.POSITIVE_INFINITY, fault: '' }
let seen = []

const canned = (status, headers = {}, body = PAGE) => ({
  status,
  headers: { 'content-type': 'text/html', ...headers },
  body,
})
const problem = (status, code, more = {}) =>
  canned(
    status,
    { 'content-type': 'application/problem+json' },
    JSON.stringify({ status, code, detail: 'as planned', ...more }),
  )

/** The draws of x that a request asks for, all of them 0, as if the chain had them. */
function drawsOfX(url) {
  const query = new URL(url, 'http://server').searchParams
  const [start, count] = [Number(query.get('start')), Number(query.get('stop')) - Number(query.get('start'))]
  const varint = (n) => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))])
  const field = (number, bytes) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), Buffer.from(bytes)])
  const column = Buffer.concat([field(1, 'x'), field(2, 'float64'), field(3, Buffer.alloc(8 * count))])
  const numbers = Buffer.from([...(start > 0 ? [8, ...varint(start)] : []), 16, ...varint(count)])
  return canned(200, { 'content-type': 'application/x-protobuf' }, Buffer.concat([numbers, field(3, column)]))
}

/** Answers in place of the server's. */
const INSTEAD = {
  page: () => canned(200),
  redirect: () => canned(302, { location: 'http://127.0.0.1:1/login' }),
  'not found': () => canned(404),
  'server error': () => canned(500),
  timeout: () => canned(408),
  busy: () => canned(429),
  gateway: () => canned(502),
  unavailable: () => canned(503, { 'retry-after': '0' }),
  'later by seconds': () => canned(503, { 'retry-after': '1' }),
  'later by date': () => canned(503, { 'retry-after': new Date(Date.now() + 2000).toUTCString() }),
  'much later': () => canned(503, { 'retry-after': '3600' }),
  gap: () => problem(409, 'draw_gap', { length: 1 }),
  defect: () => problem(500, 'internal_error'),
  forbidden: () => problem(403, 'forbidden'),
  'no about': () => problem(404, 'not_found'),
  'other json': () => canned(200, { 'content-type': 'application/json' }, '{"ok":true}'),
  'other chain': () => canned(200, { 'content-type': 'application/json' }, '{"chain":77,"length":5}'),
  'vast json': () =>
    canned(200, { 'content-type': 'application/json' }, `{"chain":0,"length":50,"x":[${'0,'.repeat(2 ** 20)}0]}`),
  'large json': () =>
    canned(200, { 'content-type': 'application/json' }, `{"chain":0,"length":50,"x":[${'0,'.repeat(2 ** 18)}0]}`),
  'length of 2^61': () => canned(200, { 'content-type': 'application/json' }, `{"chain":0,"length":${2n ** 61n}}`),
  'length of 2^45': () => canned(200, { 'content-type': 'application/json' }, `{"chain":0,"length":${2n ** 45n}}`),
  'draws of x': drawsOfX,
  'too many facts': () => problem(422, 'invalid_about'),
  'short length': () => canned(200, { 'content-type': 'application/json' }, '{"chain":0,"length":0}'),
}

/** Faults of requests that the server has done. */
const AFTERWARDS = {
  lost: (response) => response.socket?.destroy(),
  'late page': (response) => write(response, canned(200)),
  'late gateway': (response) => write(response, canned(504)),
  half: (response, answer) => {
    if (answer.body.length < 2) return response.socket?.end('HTTP/1.1 20')
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
    response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.socket?.end())
  },
  // As a server of HTTP/1.0 does it: the end of the connection is the end of the body.
  unframed: (response, answer) => {
    const type = answer.headers['content-type'] ?? 'text/plain'
    const registration = answer.headers['mcb-registration']
    const head = `HTTP/1.1 ${answer.status} As it is\r\nContent-Type: ${type}\r\nConnection: close\r\n`
    response.socket?.write(`${head}${registration ? `Mcb-Registration: ${registration}\r\n` : ''}\r\n`)
    response.socket?.end(answer.body)
  },
  slow: (response, answer) => setTimeout(() => write(response, answer), 300),
}

const BY_CHANCE = [
  'cut',
  'lost',
  'half',
  'page',
  'late page',
  'redirect',
  'unavailable',
  'busy',
  'gateway',
  'late gateway',
]

function faultOf(method, path) {
  const plan = plans.find(
    (each) => each.count > 0 && path.includes(each.path ?? '') && (each.method ?? method) === method,
  )
  if (plan !== undefined) {
    plan.count--
    return plan.fault
  }
  return Math.random() < chance ? BY_CHANCE[Math.floor(Math.random() * BY_CHANCE.length)] : undefined
}

const OF_CONNECTIONS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'expect', 'proxy-connection'])
const endToEnd = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTIONS.has(name)))

async function forward({ method, url, headers }, target, body) {
  const length = body.length > 0 ? { 'content-length': body.length } : {}
  const outgoing = httpRequest(new URL(target), { method, path: url, headers: { ...endToEnd(headers), ...length } })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response')
  return { status: incoming.statusCode, headers: endToEnd(incoming.headers), body: await buffer(incoming) }
}

function write(response, { status, headers, body }) {
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

async function passThrough(request, response, target) {
  const { method, url, headers } = request
  const bytes = Number(headers['content-length'] ?? 0)
  if (bytes > pace.bytes) {
    seen.push({ method, path: url, digest: '', bytes, at: performance.now(), fault: pace.fault, headers })
    // The body is not read.
    if (pace.fault === 'late') write(response, problem(408, 'invalid_parameter'))
    return
  }
  const body = await buffer(request)
  const digest = createHash('sha256').update(body).digest('hex')
  const fault = faultOf(method, url)
  seen.push({ method, path: url, digest, bytes: body.length, at: performance.now(), fault: fault ?? '', headers })
  if (fault === 'silent') return
  if (body.length > limit.bytes) {
    return write(response, limit.page ? canned(413) : problem(413, 'payload_too_large', { limit: limit.bytes }))
  }
  if (fault === 'cut') return request.socket.destroy()
  if (fault !== undefined && fault in INSTEAD) return write(response, INSTEAD[fault](url))
  const answer = await forward(request, target, body)
  if (fault === undefined) write(response, answer)
  else AFTERWARDS[fault](response, answer)
}

// --- Places to listen.

async function listen(server) {
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  return server.address().port
}

const handled = (handle) => (request, response) => {
  handle(request, response).catch(() => request.socket.destroy())
}

async function startForwarding() {
  const expected = `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`
  const server = createServer(
    handled(async (request, response) => {
      seen.push({ method: request.method, path: request.url, fault: 'forwarded', headers: {} })
      if (request.headers['proxy-authorization'] !== expected) return write(response, canned(407))
      const { 'proxy-authorization': _own, ...headers } = request.headers
      const { origin, pathname, search } = new URL(request.url)
      const body = await buffer(request)
      write(response, await forward({ method: request.method, url: pathname + search, headers }, origin, body))
    }),
  )
  return `http://127.0.0.1:${await listen(server)}`
}

/** Certificates of an authority that nobody knows: of a server, and of a client. */
function makeCertificates() {
  const path = (name) => join(folder, name)
  const openssl = (...rest) => execFileSync('openssl', rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const signed = ['-CA', path('ca.pem'), '-CAkey', path('ca.key')]
  openssl('req', '-x509', ...key, '-keyout', path('ca.key'), '-out', path('ca.pem'), '-subj', '/CN=Authority of a test')
  for (const [name, subject, extension] of [
    ['server', '/CN=127.0.0.1', 'subjectAltName=IP:127.0.0.1'],
    ['client', '/CN=sampler', 'extendedKeyUsage=clientAuth'],
  ]) {
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)]
    openssl('req', '-x509', ...key, ...files, '-subj', subject, '-addext', extension, ...signed)
  }
  // As systems have them: files by the hash of a name.
  const hash = execFileSync('openssl', ['x509', '-hash', '-noout', '-in', path('ca.pem')], { encoding: 'utf8' }).trim()
  mkdirSync(path('authorities'))
  copyFileSync(path('ca.pem'), join(path('authorities'), `${hash}.0`))
  return path
}

async function startTls(target) {
  const path = makeCertificates()
  const asksForClient = options['client-certificate']
  const files = { cert: readFileSync(path('server.pem')), key: readFileSync(path('server.key')) }
  const asked = asksForClient ? { ca: readFileSync(path('ca.pem')), requestCert: true, rejectUnauthorized: true } : {}
  const server = createTlsServer(
    { ...files, ...asked },
    handled((...pair) => passThrough(...pair, target)),
  )
  const tls = `https://127.0.0.1:${await listen(server)}`
  return {
    tls,
    ca: path('ca.pem'),
    authorities: path('authorities'),
    certificate: path('client.pem'),
    privateKey: path('client.key'),
  }
}

async function makeKey(server) {
  const headers = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
  const post = async (path, body) => {
    const answer = await fetch(server + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  await post('/v1/tenants', { tenant: 'lab' })
  const { key } = await post('/v1/tenants/lab/keys', { name: 'test', scopes: ['admin'] })
  return { key }
}

// --- Commands.

const COMMANDS = {
  plan({ fault, count = 1, method, path }) {
    plans.push({ fault, count, method, path })
    return {}
  },
  chance({ of }) {
    chance = of
    return {}
  },
  limit({ bytes, page }) {
    limit = { bytes, page }
    return {}
  },
  pace({ bytes, fault }) {
    pace = { bytes, fault }
    return {}
  },
  reset() {
    plans = []
    chance = 0
    limit = { bytes: Number.POSITIVE_INFINITY, page: false }
    pace = { bytes: Number.POSITIVE_INFINITY, fault: '' }
    seen = []
    return {}
  },
  seen: () => ({ seen }),
  async kill() {
    await killServer()
    await startServer()
    return {}
  },
}

const given = process.env.MCB_URL
const server = given ?? (await startServer())
const proxy = createServer(handled((...pair) => passThrough(...pair, server)))
const first = {
  server,
  proxy: `http://127.0.0.1:${await listen(proxy)}`,
  ...(options.tls && (await startTls(server))),
  ...(options.forward && { forward: await startForwarding(), credentials: CREDENTIALS }),
  ...(options.keys && (await makeKey(server))),
}
console.log(JSON.stringify(first))
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  console.log(JSON.stringify(await COMMANDS[command.do](command)))
}
await killServer()
for (const socket of sockets) socket.destroy()
for (const each of servers) each.close()
rmSync(folder, { recursive: true, force: true })
