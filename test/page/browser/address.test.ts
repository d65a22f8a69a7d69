/** The view is its address: links restore it, the browser's history walks it, and keys change it. */
import { afterAll, beforeAll, expect } from 'vitest'
import { test } from '../support/fixture.ts'
import { normal } from '../support/runs/odd.ts'
import { sampled } from '../support/runs/schools.ts'
import { settled, TABS } from '../support/screens.ts'
import { openServer, type PageServer } from '../support/servers.ts'

let server: PageServer
beforeAll(async () => {
  server = await openServer()
  await sampled(server.backend, { rid: 'schools', draws: 200, warmup: 150 })
  await normal(server.backend, { rid: 'other', draws: 50 })
})
afterAll(() => server?.close())

test('a link restores what was to be seen', async ({ visit }) => {
  const at = '/ui/runs/schools?tab=variables&vars=~theta&chains=0-1&warmup=1&convention=arviz'
  const page = await visit.open(`${server.url}${at}`)
  await settled(page)
  expect(page.url()).toBe(`${server.url}${at}`)
  expect(await page.getByRole('tab', { selected: true }).textContent()).toBe('Variables')
  expect(await page.getByRole('combobox', { name: /Numbers of/ }).inputValue()).toBe('arviz')
  await page.getByText('tau', { exact: true }).first().waitFor()
  expect(await page.getByText(/^theta/).count()).toBe(0)
  await page.reload()
  await settled(page)
  expect(page.url()).toBe(`${server.url}${at}`)
})

test('back and forward walk the places', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/`)
  await page.getByRole('link', { name: 'other' }).first().click()
  await page.getByRole('heading', { level: 1, name: 'other' }).waitFor()
  await page.getByRole('tab', { name: 'Sampler' }).click()
  await page.getByRole('tab', { name: 'Data' }).click()
  expect(page.url()).toContain('tab=data')
  await page.goBack()
  await expect.poll(() => page.getByRole('tab', { selected: true }).textContent()).toBe('Sampler')
  await page.goBack()
  await expect.poll(() => page.getByRole('tab', { selected: true }).textContent()).toBe('Overview')
  await page.goBack()
  await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor()
  await page.goForward()
  await page.getByRole('heading', { level: 1, name: 'other' }).waitFor()
})

test('arrow keys walk the tabs', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/runs/schools`)
  await settled(page)
  await page.getByRole('tab', { selected: true }).focus()
  for (const tab of [...TABS.slice(1), 'overview']) {
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => page.getByRole('tab', { selected: true }).getAttribute('id')).toBe(`tab-${tab}`)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe(`tab-${tab}`)
  }
})

test('keys: a chain alone, warmup, help', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/runs/schools`)
  await settled(page)
  await page.keyboard.press('2')
  await expect.poll(() => page.url()).toContain('chains=1')
  await page.keyboard.press('2')
  await expect.poll(() => page.url()).not.toContain('chains=')
  await page.keyboard.press('w')
  await expect.poll(() => page.url()).toContain('warmup=1')
  await page.keyboard.press('w')
  await expect.poll(() => page.url()).not.toContain('warmup=')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
})

test('keys of the list: / j k Enter', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/`)
  await page.getByRole('link', { name: 'other' }).first().waitFor()
  await page.keyboard.press('/')
  expect(await page.evaluate(() => document.activeElement?.matches('input'))).toBe(true)
  await page.keyboard.press('Escape')
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur())
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('k')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/ui\/runs\//)
})

test('keys of the variables: / j Enter', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/runs/schools?tab=variables`)
  await settled(page)
  await page.getByLabel('Filter variables').waitFor()
  await page.keyboard.press('/')
  await expect.poll(() => page.evaluate(() => document.activeElement?.matches('input'))).toBe(true)
  await page.keyboard.type('tau')
  await expect.poll(() => page.url()).toContain('vars=tau')
  await page.keyboard.press('Escape')
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur())
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.url()).toContain('sel=tau')
})

test('a place that is none says so, and leads home', async ({ visit }) => {
  const page = await visit.open(`${server.url}/ui/no/such/place`)
  await page.getByText('There is nothing at /ui/no/such/place').waitFor()
  await page.getByRole('link', { name: 'All runs', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor()
})
