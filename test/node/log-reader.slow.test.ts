/** A server whose log is read slowly, not at all, or no more. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const OPERATOR = 'operator-token-of-the-log-tests-7f3a'
const KEYS = { MCB_STORAGE: 'memory', MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR }
describe('who reads the log', () => {
  let children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
    children = []
  })
  const ENTRY = fileURLToPath(new URL('../../src/node.ts', import.meta.url))

  /** A server whose log is not read until somebody does. */
  async function unread(env: { readonly [name: string]: string } = {}) {
    const child = spawn(process.execPath, [ENTRY], {
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', ...KEYS, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    let output = ''
    child.stdout.setEncoding('utf8')
    const read = () => child.stdout.on('data', (text: string) => (output += text)).resume()
    read()
    const found = () => /listening on (http:\/\/[\d.:]+)/.exec(output)?.[1]
    await expect.poll(found, { timeout: 30_000 }).toBeDefined()
    child.stdout.removeAllListeners('data')
    child.stdout.pause()
    const url = found() ?? ''
    const exit = once(child, 'exit')
    const stop = async () => {
      child.kill('SIGTERM')
      const [code] = await exit
      return code
    }
    return { child, url, read, output: () => output, stop }
  }

  /** Requests whose lines take 4 KB each. */
  async function ask(url: string, count: number): Promise<void> {
    const path = `/v1/runs?limit=${'a'.repeat(4000)}`
    for (let sent = 0; sent < count; sent += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url + path)))
      for (const answer of answers) {
        expect(answer.status).toBe(401)
        await answer.arrayBuffer()
      }
    }
  }

  test('slowly: the server goes on in bounded memory, and says later what it has left out', async () => {
    const server = await unread({ NODE_OPTIONS: '--max-old-space-size=40' })
    // 60 MB of lines, which do not fit into the heap.
    await ask(server.url, 15_000)
    // A change of keys has room where requests have none.
    const headers = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
    const tenant = { method: 'POST', headers, body: JSON.stringify({ tenant: 'in-between' }) }
    expect((await fetch(`${server.url}/v1/tenants`, tenant)).status).toBe(201)
    server.read()
    const says = (pattern: RegExp) => expect.poll(() => pattern.test(server.output()), { timeout: 30_000 }).toBe(true)
    await says(/left out of the log.*: \d+ requests, 0 other/)
    await says(/\{"audit":\{.*"tenant":"in-between"/)
    const written = () => server.output().match(/ GET \S+ 401 /g)?.length ?? 0
    const before20 = written()
    await ask(server.url, 20)
    await expect.poll(() => written() - before20, { timeout: 30_000 }).toBeGreaterThanOrEqual(20)
    expect(await server.stop()).toBe(0)
    const left = Array.from(server.output().matchAll(/: (\d+) requests/g), ([, count]) => Number(count))
    expect(left.reduce((sum, count) => sum + count, written())).toBe(15_020)
    const lines = server.output().trimEnd().split('\n')
    expect(lines.filter((line) => !/^(20\d\d-|\{"audit":)/.test(line))).toEqual([])
  }, 180_000)

  test('not at all: it stops all the same', async () => {
    const server = await unread()
    await ask(server.url, 400)
    expect(await server.stop()).toBe(0)
  })

  test('goes away: the server stays', async () => {
    const server = await unread()
    server.child.stdout.destroy()
    server.child.stderr.destroy()
    await ask(server.url, 2000)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect(await server.stop()).toBe(0)
  })
})
