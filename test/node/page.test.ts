/** The page as its build makes it, from a real start. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPage } from '../../src/node/page.ts'
import { buildPage } from '../support/built-page.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { raw } from '../support/raw.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = join(ROOT, 'dist/page')

let folder: string
let server: ServerProcess
beforeAll(async () => {
  await buildPage()
  folder = newFolder()
  server = await startServer({ MCB_DATA_DIR: folder, MCB_LOG: 'requests' })
})
afterAll(async () => {
  await server.stop()
  removeFolder(folder)
})

const files = () => readdirSync(join(PAGE, 'ui/assets')).filter((name) => !/\.(br|gz)$/.test(name))

test('several that build at once leave one whole page', async () => {
  const to = join(folder, 'built/page')
  const told = await Promise.all([1, 2, 3].map(() => buildPage('--to', to)))
  for (const { stdout } of told) expect(stdout).toMatch(/The page is built: \d+ files, [\d.]+ KiB of script, gzipped; /)
  expect(readdirSync(join(folder, 'built'))).toEqual(['page'])
  expect(readdirSync(to, { recursive: true }).sort()).toEqual(readdirSync(PAGE, { recursive: true }).sort())
})

test('what is built is not built again', async () => {
  expect((await buildPage()).stdout).toMatch(
    /^The page is built already: \d+ files, [\d.]+ KiB of script, gzipped\.\n$/,
  )
  expect((await buildPage('--start')).stdout).toBe('')
  expect((await buildPage('--help')).stdout).toMatch(/^usage: npm run page/)
})

test('a start goes on where the page cannot be built, and says so', async () => {
  const to = join(folder, 'a-file')
  writeFileSync(to, '')
  const { stderr } = await buildPage('--start', '--to', join(to, 'page'))
  expect(stderr).toMatch(/^mcbackend-edge: the page cannot be built \(.*a-file.*\)\.\n$/)
  await expect(buildPage('--to', join(to, 'page'))).rejects.toThrow('cannot be built')
})

test('the server says where its page is', () => {
  expect(server.output()).toContain(`listening on ${server.url} (page: ${server.url}/ui/; docs: ${server.url}/docs`)
})

test('every file is served as it was built', async () => {
  const page = await (await server.api.get('/ui/runs/some-run')).text()
  expect(page).toBe(readFileSync(join(PAGE, 'ui/index.html'), 'utf8'))
  expect(files().length).toBeGreaterThan(1)
  for (const name of files()) {
    const path = `/ui/assets/${name}`
    const text = readFileSync(join(PAGE, 'ui/assets', name), 'utf8')
    // `fetch` asks for all codings that it knows.
    const answer = await server.api.get(path)
    expect(answer.headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable')
    expect(await answer.text()).toBe(text)
    const plain = await server.api.get(path, { 'Accept-Encoding': 'identity' })
    expect(plain.headers.get('Content-Length')).toBe(String(Buffer.byteLength(text)))
    expect(await plain.text()).toBe(text)
    if (!existsSync(join(PAGE, 'ui/assets', `${name}.br`))) continue
    const small = readFileSync(join(PAGE, 'ui/assets', `${name}.br`))
    expect(brotliDecompressSync(small).toString()).toBe(text)
    const head = await server.api.request('HEAD', path, { headers: { 'Accept-Encoding': 'br' } })
    expect(head.headers.get('Content-Length')).toBe(String(small.length))
    expect(head.headers.get('Content-Encoding')).toBe('br')
  }
})

/** Bytes of script, gzipped: of these files, and of all that they import at once. */
function scriptOf(...beginnings: readonly string[]): number {
  const all = files().filter((name) => name.endsWith('.js'))
  const taken = new Set<string>()
  const take = (name: string) => {
    if (taken.has(name)) return
    taken.add(name)
    const text = readFileSync(join(PAGE, 'ui/assets', name), 'utf8')
    for (const [, found = ''] of text.matchAll(/(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/g)) take(found)
  }
  for (const beginning of beginnings) {
    const found = all.filter((name) => name.startsWith(`${beginning}-`))
    expect(found, beginning).not.toEqual([])
    found.forEach(take)
  }
  return [...taken].reduce((sum, name) => sum + gzipSync(readFileSync(join(PAGE, 'ui/assets', name))).length, 0)
}

test('the script of the first screen keeps to its budget, 60 KB gzipped', () => {
  expect(scriptOf('index', 'runs-screen', 'hub.worker')).toBeLessThanOrEqual(60_000)
  expect(scriptOf('index', 'run-screen', 'hub.worker')).toBeLessThanOrEqual(60_000)
})

/** Bytes of all script, gzipped, beyond which it needs a reason: docs/performance.md has the goal, and where it goes. */
const ALL_SCRIPT = 156_000

test('all script, with that of the workers, does not grow unnoticed', () => {
  const all = files().flatMap((name) => (name.endsWith('.js') ? [name.replace(/-[\w-]{8}\.js$/, '')] : []))
  expect(scriptOf(...all)).toBeLessThanOrEqual(ALL_SCRIPT)
})

test('all that the page loads is from this server, and nothing in it is inline', () => {
  const page = readFileSync(join(PAGE, 'ui/index.html'), 'utf8')
  const places = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, place]) => place)
  expect(places.length).toBeGreaterThan(0)
  for (const place of places) expect(place).toMatch(/^\/ui\/assets\/[\w.-]+-[\w-]{8}\.(js|css|svg)$/)
  expect(page).not.toMatch(/<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/)
})

test('paths as no browser writes them reach no other file', async () => {
  for (const path of ['/ui/../package.json', '/ui/..%2f..%2fpackage.json', '/ui/assets/../../../package.json']) {
    const answer = await raw(server.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect(answer).not.toContain('"dependencies"')
  }
})

test('a folder without a page gives none', () => {
  expect(readPage(folder)).toBeUndefined()
  expect(readPage(join(folder, 'missing'))).toBeUndefined()
})

test('Cloudflare is told the same headers', () => {
  const [page = '', assets = ''] = readFileSync(join(PAGE, '_headers'), 'utf8').split('/ui/assets/*\n')
  expect(page).toContain("  Content-Security-Policy: default-src 'none'; script-src 'self'; ")
  expect(page).toContain('  Cache-Control: no-cache\n')
  expect(assets).toBe('  ! Cache-Control\n  Cache-Control: public, max-age=31536000, immutable\n')
})
