/** Without keys, a server answers to its own names and pages only: the Node entry and the Worker's, by raw sockets. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runServer, type ServerProcess, startServer } from '../support/process.ts'
import { raw, statusOf } from '../support/raw.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MISDIRECTED = [421, 'misdirected_request']
const OWN = ['127.0.0.1', '127.0.0.1:80', '10.0.0.7:9', '[::1]', '[::1]:8787', '[FE80::1]', 'localhost', 'LOCALHOST:1']
const OWN_NAMES = ['localhost.', 'draws.localhost:8787', 'a.b.LocalHost.']
const FOREIGN = [
  'attacker.example',
  'attacker.example:8787',
  '127.0.0.1.attacker.example',
  'localhost.attacker.example',
  'notlocalhost',
  'localhost.localdomain',
  'attacker.example.',
]

/** Tests of both entries. */
function answersToItsOwn(url: () => string): void {
  const ask = (host: string, ...more: string[]) => statusOf(url(), 'GET /healthz HTTP/1.1', `Host: ${host}`, ...more)

  test.each([...OWN, ...OWN_NAMES])('Host: %s is served', async (host) => {
    expect(await ask(host)).toEqual([200, ''])
  })

  test.each(FOREIGN)('Host: %s is 421', async (host) => {
    expect(await ask(host)).toEqual(MISDIRECTED)
  })

  test.each(['127.0.0.1@attacker.example', 'user:pass@attacker.example', '127.0.0.1:80@attacker.example', '[::1'])(
    'Host: %s is not served',
    async (host) => {
      const [status] = await ask(host)
      expect(status).toBeGreaterThanOrEqual(400)
    },
  )

  test('it is checked before anything else, for every method, and changes nothing', async () => {
    const host = 'Host: attacker.example'
    expect(await statusOf(url(), 'GET /nothing HTTP/1.1', host)).toEqual(MISDIRECTED)
    expect(await statusOf(url(), 'TRACE /v1/runs HTTP/1.1', host)).not.toEqual([200, ''])
    const put = ['PUT /v1/runs/rebound HTTP/1.1', host, 'Content-Type: application/x-protobuf', 'Content-Length: 0']
    expect(await statusOf(url(), ...put)).toEqual(MISDIRECTED)
    expect(await statusOf(url(), 'DELETE /v1/runs/rebound HTTP/1.1', host)).toEqual(MISDIRECTED)
    expect(await statusOf(url(), 'OPTIONS /v1/runs HTTP/1.1', host)).toEqual(MISDIRECTED)
    expect(await statusOf(url(), 'GET /v1/runs/rebound HTTP/1.1', 'Host: localhost')).toEqual([404, 'run_not_found'])
  })

  test('a page of its own may write; one of another origin may not even read', async () => {
    const { host } = new URL(url())
    for (const origin of [`http://${host}`, `https://${host}`]) {
      expect(await ask(host, `Origin: ${origin}`)).toEqual([200, ''])
    }
    const length = `Content-Length: 0`
    const post = ['POST /v1/runs HTTP/1.1', `Host: ${host}`, 'Content-Type: text/plain', length]
    expect(await statusOf(url(), ...post, `Origin: http://${host}`)).toEqual([415, 'unsupported_media_type'])
    const foreign = ['null', 'http://attacker.example', 'http://localhost:1', `ftp://${host}`, `http://${host}.x`]
    for (const origin of foreign) {
      expect(await statusOf(url(), ...post, `Origin: ${origin}`)).toEqual(MISDIRECTED)
      expect(await ask(host, `Origin: ${origin}`)).toEqual(MISDIRECTED)
    }
  })
}

describe('npm start', () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer({ MCB_STORAGE: 'memory' })
  })
  afterAll(() => server.stop('SIGKILL'))

  answersToItsOwn(() => server.url)

  test('an address as one number is no address in a header, as no browser sends it', async () => {
    for (const host of ['2130706433', '0x7f000001', '127.1', '127.0.0.01', '1.2.3', '256.0.0.1']) {
      expect((await statusOf(server.url, 'GET /healthz HTTP/1.1', `Host: ${host}`))[0]).toBeGreaterThanOrEqual(400)
    }
  })

  test('the host of a target in absolute form counts', async () => {
    const target = 'GET http://attacker.example/healthz HTTP/1.1'
    expect(await statusOf(server.url, target, 'Host: 127.0.0.1')).toEqual(MISDIRECTED)
    expect(await statusOf(server.url, 'GET http://localhost/healthz HTTP/1.1', 'Host: localhost')).toEqual([200, ''])
  })

  test('HTTP/1.0 without Host is served', async () => {
    expect(await raw(server.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.[01] 200 /)
  })

  test('the answer names the way out', async () => {
    const text = await raw(server.url, 'GET / HTTP/1.1\r\nHost: lab-server\r\nConnection: close\r\n\r\n')
    expect(text).toContain('MCB_HOSTS')
    expect(text).toMatch(/x-request-id/i)
  })
})

describe('npm start with names', () => {
  test('MCB_HOSTS, MCB_PUBLIC_URL and MCB_CORS_ORIGINS are taken, also where all may connect', async () => {
    const server = await startServer({
      MCB_STORAGE: 'memory',
      HOST: '0.0.0.0',
      MCB_AUTH: 'open',
      MCB_HOSTS: 'lab-server, Draws.LAB.example., http',
      MCB_PUBLIC_URL: 'https://draws.example.org:8443/',
      MCB_CORS_ORIGINS: 'https://notebooks.example.org',
    })
    const url = server.url.replace('0.0.0.0', '127.0.0.1')
    const ask = (host: string, ...more: string[]) => statusOf(url, 'GET /healthz HTTP/1.1', `Host: ${host}`, ...more)
    for (const host of ['lab-server:8787', 'draws.lab.example', 'draws.example.org', '127.0.0.1', 'http']) {
      expect([host, await ask(host)]).toEqual([host, [200, '']])
      // The request just before it, and the beginning of the name, make no difference.
      for (const foreign of ['attacker.example', `${host.split(':')[0]}.attacker.example`, 'lab-server2']) {
        expect([foreign, await ask(foreign)]).toEqual([foreign, MISDIRECTED])
      }
    }
    expect(await ask('attacker.example')).toEqual(MISDIRECTED)
    // A proxy that puts its own address in the header is in front of the same pages.
    for (const origin of ['https://draws.example.org:8443', 'https://notebooks.example.org', 'http://127.0.0.1:9']) {
      expect(await ask('127.0.0.1:9', `Origin: ${origin}`)).toEqual([200, ''])
    }
    for (const origin of ['https://draws.example.org', 'http://notebooks.example.org', 'null']) {
      expect(await ask('127.0.0.1:9', `Origin: ${origin}`)).toEqual(MISDIRECTED)
    }
    await server.stop('SIGKILL')
  })

  test('a final dot changes no name', async () => {
    const server = await startServer({ MCB_STORAGE: 'memory', MCB_PUBLIC_URL: 'https://Draws.example.org.:8443' })
    const ask = (host: string, ...more: string[]) =>
      statusOf(server.url, 'GET /healthz HTTP/1.1', `Host: ${host}`, ...more)
    for (const host of ['draws.example.org', 'draws.example.org.', 'draws.example.org.:8443']) {
      expect([host, await ask(host)]).toEqual([host, [200, '']])
    }
    for (const origin of ['https://draws.example.org:8443', 'https://draws.example.org.:8443']) {
      expect([origin, await ask('127.0.0.1', `Origin: ${origin}`)]).toEqual([origin, [200, '']])
    }
    expect(await ask('draws.example.org..')).toEqual(MISDIRECTED)
    await server.stop('SIGKILL')
  })

  test('with keys any name will do', async () => {
    const server = await startServer({
      MCB_STORAGE: 'memory',
      MCB_AUTH: 'keys',
      MCB_OPERATOR_TOKEN: 'operator-token-of-the-node-tests-7f3a',
    })
    expect(await statusOf(server.url, 'GET /healthz HTTP/1.1', 'Host: any.example', 'Origin: null')).toEqual([200, ''])
    await server.stop('SIGKILL')
  })

  test.each(['http://lab', 'lab:8787', 'a b', '*', 'user@lab', 'lab/'])('MCB_HOSTS=%s: a sentence', async (hosts) => {
    const { code, output } = await runServer({ MCB_STORAGE: 'memory', MCB_HOSTS: hosts })
    expect([code, output.trim().split('\n')]).toEqual([1, [expect.stringContaining('MCB_HOSTS')]])
  })
})

describe('npm run dev', () => {
  const DEV = fileURLToPath(new URL('../../scripts/dev.mjs', import.meta.url))
  let folder: string
  let dev: ChildProcess
  let url: string

  beforeAll(async () => {
    folder = newFolder()
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    const args = [DEV, '--port', String(port), '--persist-to', folder]
    dev = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [dev.stdout, dev.stderr]) stream?.resume()
    const answers = () =>
      fetch(`${url}/healthz`)
        .then(({ ok }) => ok)
        .catch(() => false)
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 300))
  }, 120_000)
  afterAll(async () => {
    const ended = once(dev, 'exit')
    dev.kill('SIGTERM')
    await ended
    removeFolder(folder)
  })

  answersToItsOwn(() => url)
})

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
