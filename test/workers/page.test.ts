/** The page on workerd: its files from the assets, its deep links from the worker. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { createWorker, type Env } from '../../src/worker/handler.ts'
import { fetchWorker } from './local.ts'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const { MCB_AUTH: _, MCB_HOSTS: __, ...bare } = env
const WITH_KEYS: Env = { ...bare, MCB_OPERATOR_TOKEN: 'operator-token-of-the-worker-tests' }

/** A worker of its own, as another isolate has it. */
function isolate(bindings: Env) {
  const worker = createWorker()
  return (path: string, init?: RequestInit) =>
    worker.fetch(new Request(`http://worker.test${path}`, init), bindings, createExecutionContext())
}

describe.each<[string, Env]>([
  ['without keys', env],
  ['with keys', WITH_KEYS],
])('%s', (_, bindings) => {
  const call = isolate(bindings)

  test.each(['/ui/', '/ui/runs/eight-schools?tab=pairs', '/ui/compare?runs=a,b'])('%s is the page', async (path) => {
    const answer = await call(path, { headers: { 'Accept-Encoding': 'br, gzip' } })
    expect(answer.status).toBe(200)
    const text = await answer.text()
    expect(text).toMatch(/^<!doctype html>[\s\S]*src="\/ui\/assets\//)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-security-policy': POLICY,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-length': String(new TextEncoder().encode(text).length),
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      vary: 'Accept-Encoding',
    })
    const etag = answer.headers.get('ETag') ?? ''
    const again = await call(path, { headers: { 'If-None-Match': etag } })
    expect(`${again.status} ${await again.text()}`).toBe('304 ')
    const head = await call(path, { method: 'HEAD' })
    expect(head.headers.get('ETag')).toBe(etag)
  })

  test('what is no file is no page where a page would be wrong', async () => {
    for (const path of ['/ui/assets/main-00000000.js', '/ui/assets/']) {
      const answer = await call(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ code: 'not_found' })
    }
  })

  test('browsers and shares are led there', async () => {
    const lead = async (path: string, headers = {}) => {
      const answer = await call(path, { headers, redirect: 'manual' })
      await answer.arrayBuffer()
      return `${answer.status} ${answer.headers.get('Location')}`
    }
    expect(await lead('/', { Accept: 'text/html,*/*;q=0.8' })).toBe('302 /ui/')
    expect(await lead('/')).toBe('404 null')
    expect(await lead('/ui')).toBe('308 /ui/')
    expect(await lead('/shared/r')).toBe('308 /ui/runs/r')
  })

  test('without the files it says so', async () => {
    const { ASSETS: _, ...others } = bindings
    const answer = await isolate(others)('/ui/')
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('npm run page')
  })
})

test('without keys, it is for this host alone', async () => {
  const answer = await isolate(env)('/ui/', { headers: { Host: 'evil.example' } })
  expect(answer.status).toBe(421)
})

test('the files that the page names are there, and the API stays where it was', async () => {
  const page = await (await fetchWorker(new Request('http://worker.test/ui/runs/r'))).text()
  const names = [...page.matchAll(/"(\/ui\/assets\/[\w.-]+)"/g)]
  expect(names.length).toBeGreaterThan(1)
  for (const [, path] of names) expect((await env.ASSETS?.fetch(`http://worker.test${path}`))?.status).toBe(200)
  for (const path of ['/docs', '/openapi.json', '/v1/runs', '/healthz']) {
    expect((await fetchWorker(new Request(`http://worker.test${path}`))).status).toBe(200)
  }
})
