/** Keys that may little see no control that would fail; whatever others have written stays text. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { test } from '../support/fixture.ts'
import { HOSTILE, hostile, normal } from '../support/runs/odd.ts'
import { SCREENS, settled, TABS } from '../support/screens.ts'
import { type KeyedServer, keyedServer } from '../support/servers.ts'

let server: KeyedServer
beforeAll(async () => {
  server = await keyedServer()
  await normal(server.backend, { rid: 'schools', draws: 60 })
  await normal(server.backend, { rid: 'fine', draws: 60 })
  await hostile(server.backend, 'hostile')
})
afterAll(() => server?.close())

/** Presses every button of the screen, and every item of its menus, each on a page that begins anew. */
async function pressAll(page: Page, open: () => Promise<void>): Promise<number> {
  let pressed = 0
  await open()
  const buttons = page.locator('main button:visible:enabled')
  const many = await buttons.count()
  for (let i = 0; i < many; i++) {
    for (let item = 0, items = 1; item < items; item++) {
      if (pressed > 0) await open()
      // A button may have gone with what others have done.
      if (i >= (await buttons.count())) break
      await buttons.nth(i).click({ timeout: 5000 })
      pressed++
      items = await page.getByRole('menuitem').count()
      if (items > 0) await page.getByRole('menuitem').nth(item).click({ timeout: 5000 })
      await answerDialog(page)
    }
  }
  return pressed
}

/** Sends whatever a dialog would send. */
async function answerDialog(page: Page): Promise<void> {
  const dialog = page.locator('dialog[open]')
  if ((await dialog.count()) === 0) return
  const submit = dialog.locator('button[type=submit]:enabled, button.primary:enabled, button.danger:enabled')
  if ((await submit.count()) > 0) await submit.first().click({ timeout: 5000 })
  await page.waitForTimeout(200)
}

describe.for([
  {
    name: 'a key that reads',
    scope: 'read',
    run: undefined,
    screens: ['/ui/', '/ui/runs/schools', '/ui/runs/schools?tab=data'],
  },
  {
    name: 'a key that reads one run',
    scope: 'read',
    run: 'schools',
    screens: ['/ui/runs/schools', '/ui/runs/schools?tab=data'],
  },
] as const)('$name', ({ scope, run, screens }) => {
  test.for(screens)('%s: no button leads to a refusal', async (at, { visit }) => {
    const key = await server.keyOf(scope, run)
    const context = await visit.context({ key })
    const page = await context.newPage()
    const refused: string[] = []
    page.on('response', (response) => {
      if (response.status() === 403) refused.push(`${response.request().method()} ${response.url()}`)
    })
    const pressed = await pressAll(page, async () => {
      await page.goto(`${server.url}${at}`)
      await settled(page)
    })
    expect(pressed).toBeGreaterThan(0)
    expect(refused).toEqual([])
    await page.goto(`${server.url}${at}`)
    await settled(page)
    for (const word of ['Delete', 'Rename', 'Archive'])
      expect(await page.getByText(word, { exact: false }).count()).toBe(0)
  })
})

test('a key of one run has no way to others', async ({ visit }) => {
  const key = await server.keyOf('read', 'schools')
  const page = await visit.open(`${server.url}/ui/runs/schools#${key}`)
  await settled(page)
  await page.getByText('shared run: may read').waitFor()
  const hrefs = await page.evaluate(() =>
    [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')),
  )
  for (const href of hrefs) expect(href).toMatch(/^(#|\/ui\/runs\/schools(\?|#|$)|\/docs)/)
})

test.for([
  ...TABS.map((tab) => `/ui/runs/hostile?tab=${tab}`),
  '/ui/',
  `/ui/?q=${encodeURIComponent(HOSTILE[0] ?? '')}`,
  `/ui/runs/${encodeURIComponent(HOSTILE[1] ?? '')}`,
  `/ui/runs/hostile?tab=variables&sel=${encodeURIComponent(`${HOSTILE[0]} x`)}`,
  '/ui/compare?runs=hostile,schools',
  `/ui/${encodeURIComponent(HOSTILE[0] ?? '')}`,
])('%s: markup of others stays text', async (at, { visit }) => {
  visit.allow(/40[04]/)
  const context = await visit.context({ key: server.admin })
  const page = await context.newPage()
  await page.goto(`${server.url}${at}`)
  await settled(page)
  const made = await page.evaluate(() => ({
    strange: [
      ...document.querySelectorAll(
        'img:not([src^="/ui/assets/"]), script:not([src^="/ui/assets/"]), iframe, object, b',
      ),
    ].map(({ outerHTML }) => outerHTML),
    handlers: [...document.querySelectorAll('*')].filter((element) =>
      element.getAttributeNames().some((name) => name.startsWith('on')),
    ).length,
    links: [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href') ?? ''),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }))
  expect(made.strange).toEqual([])
  expect(made.handlers).toBe(0)
  for (const href of made.links) expect(href).toMatch(/^(\/|#|https?:)/)
  expect(made.wide, 'the page is not wider than its window').toBeLessThanOrEqual(0)
})

test('the name of a run is its title, as text', async ({ visit }) => {
  const context = await visit.context({ key: server.admin })
  const page = await context.newPage()
  await page.goto(`${server.url}/ui/runs/hostile`)
  await settled(page)
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(HOSTILE[0])
})

test('all screens are there for a key that reads', async ({ visit }) => {
  const context = await visit.context({ key: await server.keyOf('read') })
  const page = await context.newPage()
  for (const { at } of SCREENS) {
    await page.goto(`${server.url}${at}`)
    await settled(page)
  }
})
