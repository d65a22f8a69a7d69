/** A server that starts: it answers 503 until its storage is open, and then as ever. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { drawBatch, expectProblem, iterations, jsonOf, withDraws } from '../http/api.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const ENTRY = fileURLToPath(new URL('../../src/node.ts', import.meta.url))

/** A start takes seconds, and on a machine that is busy ten times as long. */
vi.setConfig({ testTimeout: 240_000 })

let folder: string
let servers: ServerProcess[]
beforeEach(() => {
  folder = newFolder()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  removeFolder(folder)
})

async function start(env: { readonly [name: string]: string } = {}): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: folder, ...env })
  servers.push(server)
  return server
}

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return String(typeof address === 'object' ? address?.port : undefined)
}

/** Holds a database of the folder, as a server does that is still at work, or another program. */
function hold(name: string): () => void {
  const held = new Database(join(folder, name))
  held.exec('BEGIN EXCLUSIVE')
  return () => held.close()
}

async function expectStarting(url: string): Promise<void> {
  await expect
    .poll(() =>
      fetch(`${url}/readyz`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(503)
  for (const path of ['/readyz', '/healthz', '/v1/runs', '/v1/runs/r/chains/0/draws', '/docs', '/nowhere']) {
    const answer = await fetch(url + path)
    expect(answer.headers.get('Retry-After')).toBe('1')
    await expectProblem(answer, 503, 'storage_unavailable')
  }
  const written = await fetch(`${url}/v1/runs/r/chains/0/draws`, { method: 'POST', body: drawBatch(iterations(0, 1)) })
  await expectProblem(written, 503, 'storage_unavailable')
  expect((await fetch(`${url}/readyz`, { method: 'HEAD' })).status).toBe(503)
}

test.each(['mcbackend.lock', 'mcbackend.sqlite'])('while %s is held: 503, and then as ever', async (name) => {
  const first = await start()
  await withDraws(first.api, 3)
  expect(await first.stop()).toBe(0)
  const letGo = hold(name)
  const port = await freePort()
  const starting = start({ PORT: port })
  try {
    await expectStarting(`http://127.0.0.1:${port}`)
  } finally {
    letGo()
  }
  const { api, output } = await starting
  expect(await jsonOf(await api.get('/readyz'))).toEqual({ status: 'ready' })
  expect((await api.get('/healthz')).status).toBe(200)
  expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 3 })
  // Requests that came too early are no failures of the storage.
  expect(output()).not.toContain(' error ')
})

test('a foreign host is told nothing, also then', async () => {
  const letGo = hold('mcbackend.lock')
  const port = await freePort()
  const starting = start({ PORT: port })
  await expectStarting(`http://127.0.0.1:${port}`)
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { Origin: 'http://evil.test' } })
  await expectProblem(answer, 421, 'misdirected_request')
  letGo()
  await starting
})

test('the next server on the same port and folder waits for the one before it', async () => {
  const port = await freePort()
  const first = await start({ PORT: port })
  await withDraws(first.api, 3)
  const second = start({ PORT: port })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(await first.stop()).toBe(0)
  expect(await jsonOf(await (await second).api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 3 })
})

test('one that is told to stop while it starts, stops', async () => {
  const letGo = hold('mcbackend.lock')
  const port = await freePort()
  const env = { ...process.env, PORT: port, HOST: '127.0.0.1', MCB_DATA_DIR: folder }
  const child = spawn(process.execPath, [ENTRY], { env, stdio: 'ignore' })
  try {
    await expectStarting(`http://127.0.0.1:${port}`)
    const begun = performance.now()
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(performance.now() - begun).toBeLessThan(5000)
  } finally {
    child.kill('SIGKILL')
    letGo()
  }
})
