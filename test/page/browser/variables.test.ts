/** The tab Variables: its numbers are the API's, and the keyboard alone filters, sorts, opens and walks. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { significant } from '../../../web/src/paint/number.ts'
import { test } from '../support/fixture.ts'
import { normal, wide, withoutNumbers } from '../support/runs/odd.ts'
import { sampled } from '../support/runs/schools.ts'
import { openServer, type PageServer } from '../support/servers.ts'

let server: PageServer
beforeAll(async () => {
  server = await openServer()
  const { backend } = server
  await Promise.all([
    sampled(backend, { rid: 'schools', draws: 200 }),
    wide(backend, { rid: 'wide', draws: 20 }),
    normal(backend, { rid: 'short', draws: 2 }),
    withoutNumbers(backend, 'none'),
  ])
})
afterAll(() => server?.close())

const tab = (rid: string, more = '') => `${server.url}/ui/runs/${rid}?tab=variables${more}`
const addressOf = (page: Page) => new URL(page.url()).searchParams
const grid = (page: Page) => page.getByRole('grid', { name: 'Variables' })
const row = (page: Page, name: string) => grid(page).getByRole('row').filter({ hasText: name })

/** Cells of the row of this name, as texts, once its figures are there. */
async function cellsOf(page: Page, name: string): Promise<string[]> {
  await expect.poll(() => row(page, name).first().textContent(), { timeout: 60_000 }).not.toMatch(/……/)
  return row(page, name).first().getByRole('gridcell').allTextContents()
}

test('figures are those of the API', async ({ visit }) => {
  const page = await visit.open(tab('schools', '&convention=arviz'))
  const [, , sd, , bulk] = await cellsOf(page, 'tau')
  const path = '/v1/runs/schools/summary?var=tau&convention=arviz&columns=sd,ess_bulk'
  const answer = Object(await server.json(path))
  const [expected] = answer.rows
  expect(sd).toBe(significant(expected.sd, 3))
  expect(bulk?.replaceAll(/\D/g, '')).toBe(String(Math.round(expected.ess_bulk)))
})

test('keys alone find, open and walk the variables', async ({ visit }) => {
  const page = await visit.open(tab('schools'))
  await row(page, 'mu').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('theta ~/Hermon/')
  await page.getByText('7 of 10 scalars').waitFor()
  await grid(page).focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('k')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'theta[Choate]' }).waitFor()
  expect(addressOf(page).get('sel')).toBe('theta[Choate]')
  for (const [key, label] of [
    ['ArrowRight', 'theta[Deerfield]'],
    ['j', 'theta[Phillips Andover]'],
    ['j', 'theta[Phillips Exeter]'],
    ['k', 'theta[Phillips Andover]'],
    ['ArrowLeft', 'theta[Deerfield]'],
  ] as const) {
    await page.keyboard.press(key)
    await page.getByRole('heading', { name: label, exact: true }).waitFor()
  }
  await page.keyboard.press('u')
  await page.getByText('7 of 10 scalars').waitFor()
})

test('cells of a strip are walked and told, and opened', async ({ visit }) => {
  const page = await visit.open(tab('schools', '&vars=theta'))
  await cellsOf(page, 'theta[Choate]')
  await grid(page).focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowRight')
  await page
    .getByText(/^theta\[Deerfield\]: R-hat \d/)
    .first()
    .waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'theta[Deerfield]' }).waitFor()
})

test('of 10,008 rows those in view are there, and the worst comes first', async ({ visit }) => {
  const page = await visit.open(tab('wide', '&open=x'))
  await row(page, 's0').waitFor()
  expect(await grid(page).getAttribute('aria-rowcount')).toBe('10010')
  expect(await grid(page).getByRole('row').count()).toBeLessThan(60)
  await grid(page).focus()
  await page.keyboard.press('End')
  await row(page, 'x[9999]').waitFor()
  await cellsOf(page, 'x[9999]')
  await grid(page).getByRole('button', { name: 'R-hat' }).click()
  await page.keyboard.press('Home')
  await grid(page).focus()
  await page.keyboard.press('Home')
  await expect.poll(() => grid(page).locator('tr[aria-rowindex="2"]').textContent()).toContain('x[1234]')
  expect(addressOf(page).get('sort')).toBe('-rhat')
})

test('an expression that is none is told, and one that takes for ever does not hold the page', async ({ visit }) => {
  const page = await visit.open(tab('wide'))
  const filter = page.getByLabel('Filter variables')
  await filter.fill('/(/')
  await page.getByText('This expression is not complete').waitFor()
  // A name of seven letters is cut into twenty parts in a million ways, before it is clear that none of them fits.
  await filter.fill(`/^${'(.*)'.repeat(20)}!$/`)
  await page.getByText('takes too long').waitFor({ timeout: 20_000 })
  await filter.fill('/^s[01]$/')
  await page.getByText('2 of 10 008 scalars').waitFor()
})

test('draws that are chosen light up, and the view is closer, by its address', async ({ visit }) => {
  const page = await visit.open(tab('schools', '&sel=tau'))
  const trace = page.getByRole('slider', { name: 'Trace of tau' })
  await trace.waitFor()
  const box = await trace.boundingBox()
  if (box === null) throw new Error('the trace has no place')
  await page.mouse.move(box.x + 200, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + 300, box.y + 60, { steps: 4 })
  await page.mouse.up()
  await page.getByRole('button', { name: /^Chosen: iterations/ }).waitFor()
  await page.getByText('draws that are chosen, filled').waitFor()
  await page.getByRole('button', { name: 'Closer' }).click()
  await expect.poll(() => addressOf(page).get('window')).toMatch(/^\d+:\d+$/)
  await page.getByText('each of 400 draws').waitFor()
})

test('too few draws, strings and arrays that vary are said, and not drawn', async ({ visit }) => {
  const page = await visit.open(tab('short', '&sel=mu'))
  await page.getByText('too few draws').first().waitFor()
  const other = await visit.open(tab('none'))
  await other.getByText('strings: no figures and no plots').waitFor()
  await other.getByText('of a shape that varies from draw to draw').waitFor()
})
