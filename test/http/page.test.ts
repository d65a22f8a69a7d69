/** The page's routes: files and headers, and the ways that lead there. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pageOf } from '../support/page.ts'
import { newLab, newWorld } from '../tenants/world.ts'
import { type Api, jsonOf, newApp } from './api.ts'

const INDEX = `<!doctype html><title>runs</title>${'<p>text that compresses</p>'.repeat(40)}`
const SCRIPT = `import './b.js'\n${'const a = 1\n'.repeat(100)}`
const FILES = {
  'index.html': INDEX,
  'assets/main-a1b2.js': SCRIPT,
  'assets/main-c3d4.css': 'p{color:red}'.repeat(100),
  'assets/icon-e5f6.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'assets/plot-a7b8.png': 'no coding of this one',
  'robots.txt': 'User-agent: *\nDisallow: /\n',
}
const page = await pageOf(FILES)
const { api } = newApp({ page })

/** As the design has it, word for word. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  vary: 'Accept-Encoding',
}

const headersOf = (answer: Response) => Object.fromEntries(answer.headers)

async function plain(answer: Response): Promise<string> {
  const bytes = new Uint8Array(await answer.arrayBuffer())
  expect(answer.headers.get('Content-Length')).toBe(String(bytes.length))
  const coding = answer.headers.get('Content-Encoding')
  if (coding === null) return new TextDecoder().decode(bytes)
  return (coding === 'br' ? brotliDecompressSync(bytes) : gunzipSync(bytes)).toString()
}

describe('files', () => {
  test.each(['/ui/', '/ui/index.html', '/ui/runs/eight-schools', '/ui/runs/a/b?tab=pairs', '/ui/compare?runs=a,b'])(
    '%s is the page',
    async (path) => {
      const answer = await api.get(path)
      expect(answer.status).toBe(200)
      expect(headersOf(answer)).toMatchObject({
        ...HEADERS,
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
      })
      expect(await plain(answer)).toBe(INDEX)
    },
  )

  test.each([
    ['assets/main-a1b2.js', 'text/javascript; charset=utf-8'],
    ['assets/main-c3d4.css', 'text/css; charset=utf-8'],
    ['assets/icon-e5f6.svg', 'image/svg+xml'],
    ['assets/plot-a7b8.png', 'image/png'],
  ] as const)('%s may be kept for ever, and has the policy that a worker would have', async (name, type) => {
    const answer = await api.get(`/ui/${name}`)
    expect(answer.status).toBe(200)
    expect(headersOf(answer)).toMatchObject({
      ...HEADERS,
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
    })
    expect(await plain(answer)).toBe(FILES[name])
  })

  test('a file outside of assets is asked for again each time', async () => {
    const answer = await api.get('/ui/robots.txt')
    expect(headersOf(answer)).toMatchObject({ ...HEADERS, 'cache-control': 'no-cache' })
    expect(await plain(answer)).toBe(FILES['robots.txt'])
  })

  test.each(['assets/main-0000.js', 'assets/', 'assets/../index.html.js', 'assets/constructor'])(
    '%s is missing, and is not the page',
    async (name) => {
      const answer = await api.get(`/ui/${name.replace('../', '%2e%2e%2f')}`)
      expect(answer.status).toBe(404)
      expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
      expect(answer.headers.get('Cache-Control')).not.toMatch(/public|immutable/)
      expect(await jsonOf(answer)).toMatchObject({ code: 'not_found' })
    },
  )

  test.each([
    '/ui/../package.json',
    '/ui/%2e%2e/package.json',
    '/ui/..%2fpackage.json',
    '/ui/%2e%2e%2f%2e%2e%2fpackage.json',
    '/ui/..%5c..%5cpackage.json',
    '/ui//etc/passwd',
    '/ui/%00',
    '/ui/__proto__',
    '/ui/%E0%A4%A',
  ])('%s reaches nothing but the page', async (path) => {
    const answer = await api.get(path)
    const text = answer.status === 200 ? await plain(answer) : (await jsonOf(answer)).code
    expect([INDEX, 'not_found']).toContain(text)
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is refused', async (method) => {
    for (const path of ['/ui', '/ui/', '/ui/assets/main-a1b2.js', '/shared/r']) {
      const answer = await api.request(method, path)
      expect(answer.status).toBe(405)
      expect(answer.headers.get('Allow')).toBe('GET, HEAD')
    }
  })
})

describe('codings', () => {
  test.each([
    [undefined, null],
    ['', null],
    ['identity', null],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['br;q=0, gzip;q=0.1', 'gzip'],
    ['br; Q=0.2 , gzip;q=0.1', 'br'],
    ['gzip;q=0.5, identity', null],
    ['gzip, identity', 'gzip'],
    ['gzip, identity;q=0.5', 'gzip'],
    ['*', 'br'],
    ['*;q=0', null],
    ['br;q=0, *', 'gzip'],
    ['identity;q=0', null],
    ['identity;q=0, gzip', 'gzip'],
    ['zstd, deflate', null],
    ['br;q=much', null],
    [',;q=1, ,', null],
    ['gzipped, brotli', null],
  ])('Accept-Encoding: %s gives %s', async (accepted, coding) => {
    const headers: Record<string, string> = accepted === undefined ? {} : { 'Accept-Encoding': accepted }
    for (const [path, text] of [
      ['/ui/', INDEX],
      ['/ui/assets/main-a1b2.js', SCRIPT],
    ] as const) {
      const answer = await api.get(path, headers)
      expect(answer.headers.get('Content-Encoding')).toBe(coding)
      expect(answer.headers.get('Vary')).toBe('Accept-Encoding')
      expect(await plain(answer)).toBe(text)
    }
  })

  /** An item of `Accept-Encoding`, as somebody may write it. */
  const item = fc.record({
    name: fc.constantFrom('br', 'BR', 'gzip', 'x-gzip', 'identity', '*', 'zstd', 'deflate', '', 'b r'),
    q: fc.constantFrom('', ';q=0', '; q=0.000', ';q=0.5', ' ; Q=1', ';q=', ';q=-1', ';q=2', ';level=9;q=0.3'),
  })
  const headers = fc.oneof(
    fc.array(item, { maxLength: 6 }).map((items) => items.map(({ name, q }) => name + q).join(', ')),
    fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 60 }),
  )

  test('any Accept-Encoding gives the same text, in no coding that was refused', () =>
    fc.assert(
      fc.asyncProperty(headers, async (accepted) => {
        const answer = await api.get('/ui/assets/main-a1b2.js', { 'Accept-Encoding': accepted })
        expect(answer.status).toBe(200)
        const coding = answer.headers.get('Content-Encoding')
        expect([null, 'br', 'gzip']).toContain(coding)
        if (coding !== null) expect(accepted.toLowerCase()).toMatch(coding === 'br' ? /br|\*/ : /gzip|\*/)
        const only = new RegExp(`^\\s*${coding}\\s*;\\s*q=0(\\.0+)?\\s*$`, 'i')
        expect(accepted.split(',').every((part) => only.test(part))).toBe(false)
        expect(await plain(answer)).toBe(SCRIPT)
      }),
      { numRuns: 500 },
    ))

  test('a file without codings comes as it is', async () => {
    const answer = await api.get('/ui/assets/plot-a7b8.png', { 'Accept-Encoding': 'br, gzip' })
    expect(answer.headers.get('Content-Encoding')).toBeNull()
    expect(await plain(answer)).toBe(FILES['assets/plot-a7b8.png'])
  })
})

describe.each([undefined, 'gzip', 'br'])('asked again, coded as %s', (coding) => {
  const headers: Record<string, string> = coding === undefined ? {} : { 'Accept-Encoding': coding }

  test.each(['/ui/', '/ui/runs/r', '/ui/assets/main-a1b2.js'])('HEAD %s is as GET, without the body', async (path) => {
    const got = await api.get(path, headers)
    const head = await api.request('HEAD', path, { headers })
    expect(head.status).toBe(200)
    expect({ ...headersOf(head), 'x-request-id': '' }).toEqual({ ...headersOf(got), 'x-request-id': '' })
    expect(await head.text()).toBe('')
  })

  test.each(['/ui/', '/ui/runs/r', '/ui/assets/main-a1b2.js'])('%s is 304 to whoever has it', async (path) => {
    const first = await api.get(path, headers)
    const etag = first.headers.get('ETag') ?? ''
    expect(etag).toMatch(/^"[\w-]+"$/)
    for (const method of ['GET', 'HEAD']) {
      for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await api.request(method, path, { headers: { ...headers, 'If-None-Match': condition } })
        expect(again.status).toBe(304)
        expect(await again.text()).toBe('')
        const { 'cache-control': kept } = headersOf(first)
        expect(headersOf(again)).toMatchObject({ ...HEADERS, etag, 'cache-control': kept })
        expect(again.headers.get('Content-Length')).toBeNull()
      }
    }
    const changed = await api.get(path, { ...headers, 'If-None-Match': '"other"' })
    expect(changed.status).toBe(200)
  })
})

test('each coding has an ETag of its own', async () => {
  const etags = await Promise.all(
    ['identity', 'gzip', 'br'].map(async (coding) =>
      (await api.get('/ui/', { 'Accept-Encoding': coding })).headers.get('ETag'),
    ),
  )
  expect(new Set(etags).size).toBe(3)
})

describe('ways to the page', () => {
  const lead = async (from: Api, path: string, headers = {}) => {
    const { status, headers: all } = await from.get(path, headers)
    return `${status} ${all.get('Location') ?? '-'}`
  }

  test('/ui and the links of shares lead there', async () => {
    expect(await lead(api, '/ui')).toBe('308 /ui/')
    expect(await lead(api, '/ui?tab=pairs')).toBe('308 /ui/')
    expect(await lead(api, '/shared/eight-schools_42.~a')).toBe('308 /ui/runs/eight-schools_42.~a')
    expect(await lead(api, '/shared/a%2Fb')).toBe('400 -')
    expect(await lead(api, '/shared/%0d%0aSet-Cookie:a')).toBe('400 -')
    expect(await lead(api, `/shared/${'r'.repeat(129)}`)).toBe('400 -')
  })

  test.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', '302 /ui/'],
    ['text/html', '302 /ui/'],
    ['text/html, application/json;q=0.9', '302 /ui/'],
    ['text/html, */*', '302 /ui/'],
    ['text/*', '302 /ui/'],
    ['*/*', '404 -'],
    ['', '404 -'],
    ['application/json', '404 -'],
    ['application/json, text/html;q=0.9', '404 -'],
    ['text/html;q=0', '404 -'],
    ['text/html;q=0, */*', '404 -'],
    ['image/png', '404 -'],
  ])('/ with Accept: %s is %s', async (accept, answer) => {
    expect(await lead(api, '/', { Accept: accept })).toBe(answer)
  })

  test('/ stays as it was for programs', async () => {
    expect(await lead(api, '/')).toBe('404 -')
    expect((await api.request('POST', '/', { headers: { Accept: 'text/html' } })).status).toBe(404)
    expect((await api.request('HEAD', '/', { headers: { Accept: 'text/html' } })).status).toBe(302)
    expect((await api.get('/', { Accept: 'text/html' })).headers.get('Vary')).toContain('Accept')
  })

  test('a key that somebody put into the path of a share is not repeated', async () => {
    const world = newWorld({ page })
    const key = await newLab(world, 'lab')
    for (const text of [key, key.slice(0, -3), `x.${key}`, btoa(key).replaceAll('=', '')]) {
      const answer = await world.api.get(`/shared/${text}`)
      expect(`${answer.status} ${answer.headers.get('Location')}`).toBe('308 /ui/')
      expect(JSON.stringify(headersOf(answer)) + (await answer.text())).not.toContain(text.slice(-20))
    }
    const missing = await world.api.get(`/ui/assets/${key}`)
    expect(await missing.text()).not.toContain(key.slice(-20))
  })
})

describe('access', () => {
  test('the page needs no key, and looks at none', async () => {
    const world = newWorld({ page })
    for (const headers of [{}, { Authorization: 'Bearer mcb_nonsense' }]) {
      expect((await world.api.get('/ui/', headers)).status).toBe(200)
      expect((await world.api.get('/ui/assets/main-a1b2.js', headers)).status).toBe(200)
    }
  })

  test('without keys, it is for this host and no other', async () => {
    const open = newApp({ page, hosts: ['draws.lab'] })
    const asked = async (host: string, more = {}) => (await open.api.get('/ui/', { Host: host, ...more })).status
    expect(await asked('localhost')).toBe(200)
    expect(await asked('draws.lab')).toBe(200)
    expect(await asked('evil.example')).toBe(421)
    expect(await asked('localhost', { Origin: 'https://evil.example' })).toBe(421)
  })

  test('where pages of other origins may read, its headers are the same', async () => {
    const origin = 'https://notebook.example'
    const shared = newApp({ page, origins: [origin] })
    const answer = await shared.api.get('/ui/assets/main-a1b2.js', { Origin: origin })
    expect(headersOf(answer)).toMatchObject({
      ...HEADERS,
      vary: 'Accept-Encoding, Origin',
      'cache-control': 'public, max-age=31536000, immutable',
      'access-control-allow-origin': origin,
    })
  })

  test('it is no part of the API', async () => {
    const document = await jsonOf(await api.get('/openapi.json'))
    expect(Object.keys(document.paths).filter((path) => /ui|shared/.test(path))).toEqual([])
  })
})

test('a server without its page says how it gets one, and serves its API', async () => {
  const { api, reports } = newApp()
  for (const path of ['/ui/', '/ui/runs/r']) {
    const answer = await api.get(path)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('Content-Type')).toMatch(/^text\/html/)
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(await answer.text()).toContain('npm run page')
  }
  expect((await api.get('/ui/assets/main-a1b2.js')).status).toBe(404)
  expect((await api.get('/v1/runs')).status).toBe(200)
  expect(reports).toEqual([])
})
