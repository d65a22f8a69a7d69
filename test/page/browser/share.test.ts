/** The link of a share: it leads to the page of its run, and its key is shown nowhere. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { jsonOf } from '../../http/api.ts'
import { test } from '../support/fixture.ts'
import { type KeyedServer, keyedServer } from '../support/servers.ts'

let server: KeyedServer
let link: string
let key: string
beforeAll(async () => {
  server = await keyedServer()
  const run = await server.backend.initRun({
    rid: 'shared-run',
    variables: [{ name: 'theta', dtype: 'float64', shape: [] }],
  })
  const chain = await run.initChain(0)
  for (let i = 0; i < 20; i++) await chain.append({ theta: new Float64Array([i]) })
  await chain.close()
  const made = await server.send('POST', '/v1/runs/shared-run/shares', { expiresAt: null })
  ;({ url: link, key } = await jsonOf(made))
})
afterAll(() => server?.close())

/** All that a reader or somebody behind them could see of a page, its attributes among it. */
async function shownBy(page: Page): Promise<string> {
  return `${await page.title()} ${await page.content()}`
}

test('it opens the run, and keeps its key behind the #', async ({ visit }) => {
  expect(link).toBe(`${server.url}/shared/shared-run#${key}`)
  const page = await visit.open(link)
  await page.getByRole('heading', { level: 1, name: 'shared-run' }).waitFor()
  expect(page.url()).toMatch(`${server.url}/ui/runs/shared-run`)
  expect(new URL(page.url()).hash).toBe(`#${key}`)
  expect(await shownBy(page)).not.toContain(key.slice(-20))
})

test('what it reads is of that run alone, and its key is in no address', async ({ visit }) => {
  const context = await visit.context()
  const asked: string[] = []
  context.on('request', (request) => asked.push(request.url()))
  const page = await context.newPage()
  await page.goto(link)
  await page.getByRole('heading', { level: 1, name: 'shared-run' }).waitFor()
  const data = asked.filter((url) => url.includes('/v1/runs'))
  expect(data.length).toBeGreaterThan(0)
  for (const url of data) expect(new URL(url).pathname).toMatch(/^\/v1\/runs\/shared-run(\/|$)/)
  // Chromium tells the tests of fragments, which it does not send.
  for (const url of asked) expect(url.split('#')[0]).not.toContain(key.slice(-20))
})

test.for([
  ['a word', 'correct-horse-battery'],
  ['letters that no header can carry', 'correct-horse-\u{1f511}-battery'],
  ['markup', '<b>correct-horse</b>'],
])('a fragment that is no key is not sent, and not shown: %s', async ([, fragment], { visit }) => {
  visit.allow(/401/)
  const context = await visit.context()
  const sent: string[] = []
  context.on('request', (request) => sent.push(JSON.stringify(request.headers())))
  const page = await context.newPage()
  await page.goto(`${server.url}/shared/shared-run#${fragment}`)
  await page.getByText('Ask for the link again').waitFor()
  expect(await shownBy(page)).not.toContain('correct-horse')
  expect(sent.join()).not.toContain('correct-horse')
})

test('a key in the path, instead of behind the #, is not shown either', async ({ visit }) => {
  const page = await visit.open(`${server.url}/shared/${key}#${key}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  expect(new URL(page.url()).pathname).toBe('/ui/')
  expect(await shownBy(page)).not.toContain(key.slice(-20))
})
