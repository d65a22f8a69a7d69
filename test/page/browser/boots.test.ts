/** The page begins, on a server without keys and on one with them. */
import { afterAll, beforeAll, expect } from 'vitest'
import { test } from '../support/fixture.ts'
import { type KeyedServer, keyedServer, openServer, type PageServer } from '../support/servers.ts'

let open: PageServer
let keyed: KeyedServer
beforeAll(async () => {
  ;[open, keyed] = await Promise.all([openServer(), keyedServer()])
})
afterAll(async () => {
  await Promise.all([open?.close(), keyed?.close()])
})

test('an open server shows its runs', async ({ visit }) => {
  const page = await visit.open(`${open.url}/ui/`)
  await page.getByRole('heading', { level: 1, name: 'Runs', exact: true }).waitFor()
  expect(await page.getByText('open to this machine').isVisible()).toBe(true)
})

test('a browser is led from / to the page', async ({ visit }) => {
  const page = await visit.open(`${open.url}/`)
  expect(new URL(page.url()).pathname).toBe('/ui/')
})

test('a server with keys asks for one, which this tab alone keeps', async ({ visit }) => {
  visit.allow(/401/)
  const context = await visit.context()
  const page = await context.newPage()
  await page.goto(`${keyed.url}/ui/`)
  await page.getByLabel('Key', { exact: true }).fill('mcb_wrong')
  await page.keyboard.press('Enter')
  await page.getByText('does not know this key').waitFor()
  await page.getByLabel('Key', { exact: true }).fill(await keyed.keyOf('read'))
  await page.keyboard.press('Enter')
  await page.getByText('lab · page read: may read').waitFor()
  await page.reload()
  await page.getByText('lab · page read: may read').waitFor()
  const other = await context.newPage()
  await other.goto(`${keyed.url}/ui/`)
  await other.getByRole('heading', { name: 'wants a key' }).waitFor()
})
