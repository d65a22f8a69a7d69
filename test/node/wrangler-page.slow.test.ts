/** The page as wrangler's development server sends it, with wrangler.toml as it is: the assets before the worker. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiOf } from '../http/api.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const DEV = fileURLToPath(new URL('../../scripts/dev.mjs', import.meta.url))

let folder: string
let child: ChildProcess
let url: string
beforeAll(async () => {
  folder = newFolder()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  child = spawn(process.execPath, [DEV, '--port', String(port), '--persist-to', folder], { stdio: 'pipe' })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text))
  for (const end = Date.now() + 120_000; ; await new Promise((resolve) => setTimeout(resolve, 250))) {
    if (child.exitCode !== null || Date.now() > end) throw new Error(`it does not answer: ${said}`)
    const isThere = await fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isThere) return
  }
}, 150_000)
afterAll(async () => {
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
  removeFolder(folder)
})

const api = () => apiOf((request) => fetch(request, { redirect: 'manual' }), url)

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

test('the page, its deep links and its files come with the same policy, and each with its own caching', async () => {
  let index = ''
  for (const path of ['/ui/', '/ui/runs/eight-schools', '/ui/compare?runs=a,b']) {
    const answer = await api().get(path)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...HEADERS,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
    })
    const text = await answer.text()
    index ||= text
    expect(text).toBe(index)
  }
  const names = [...index.matchAll(/"(\/ui\/assets\/[\w.-]+)"/g)].map(([, name]) => name ?? '')
  expect(names.length).toBeGreaterThan(1)
  for (const name of names) {
    const answer = await api().get(name)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...HEADERS,
      'cache-control': 'public, max-age=31536000, immutable',
    })
    await answer.arrayBuffer()
  }
})

test.each([
  ['/ui/assets/main-00000000.js', '404'],
  ['/_headers', '404'],
  ['/.built-from', '404'],
  ['/ui/index.html.br', '200'],
  ['/docs', '200'],
  ['/v1/runs', '200'],
  ['/', '404'],
  ['/ui', '307 /ui/'],
  ['/shared/r', '308 /ui/runs/r'],
])('%s is %s', async (path, expected) => {
  const answer = await api().get(path)
  const text = await answer.text()
  const place = answer.headers.get('Location')
  expect(place === null ? String(answer.status) : `${answer.status} ${place}`).toBe(expected)
  if (answer.status === 404) expect(JSON.parse(text)).toMatchObject({ code: 'not_found' })
  // Nothing but the page's own addresses gives the page.
  if (!path.startsWith('/ui')) expect(text).not.toContain('/ui/assets/')
})

test('browsers are led from / to the page', async () => {
  const answer = await api().get('/', { Accept: 'text/html,*/*;q=0.8' })
  expect(`${answer.status} ${answer.headers.get('Location')}`).toBe('302 /ui/')
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
