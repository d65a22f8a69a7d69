/** Every screen for everybody: rules of axe, the keyboard alone, and words for each chart. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { test } from '../support/fixture.ts'
import { sampled } from '../support/runs/schools.ts'
import { SCREENS, settled } from '../support/screens.ts'
import { openServer, type PageServer } from '../support/servers.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let server: PageServer
beforeAll(async () => {
  server = await openServer()
  await sampled(server.backend, { rid: 'schools', draws: 200, warmup: 150 })
  await sampled(server.backend, { rid: 'fine', form: 'non-centered', draws: 200, warmup: 150 })
})
afterAll(() => server?.close())

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Rules that are broken seriously, with the elements. */
async function seriousOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE)
  const violations: readonly Violation[] = await page.evaluate(async () => {
    const axe: { run(root: Document): Promise<{ violations: Violation[] }> } = Reflect.get(window, 'axe')
    return (await axe.run(document)).violations
  })
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
    )
}

describe.for([
  { theme: 'light', size: 'wide' },
  { theme: 'dark', size: 'wide' },
  { theme: 'light', size: 'phone' },
  { theme: 'dark', size: 'phone' },
] as const)('axe, $theme and $size', (look) => {
  test('finds nothing serious on any screen', async ({ visit }) => {
    const page = await (await visit.context(look)).newPage()
    const found: Record<string, readonly string[]> = {}
    for (const { name, at } of SCREENS) {
      await page.goto(`${server.url}${at}`)
      await settled(page)
      found[name] = await seriousOf(page)
    }
    expect(found).toEqual(Object.fromEntries(SCREENS.map(({ name }) => [name, []])))
  })
})

interface Stop {
  readonly id: string
  readonly isRinged: boolean
}

/** The element that has the focus, by the number that `controls` has given it, and whether one sees that. */
function focused(page: Page): Promise<Stop> {
  return page.evaluate(() => {
    const element = document.activeElement ?? document.body
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element)
    const isRinged = (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none'
    const number: unknown = Reflect.get(element, 'numberOfTest')
    return { id: `${number ?? 'unnumbered'} ${element.outerHTML.slice(0, 120)}`, isRinged }
  })
}

/** Controls that a pointer reaches, numbered: each must be a stop of Tab, or be within a group that arrow keys walk. */
function controls(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const isWalked = (element: Element) =>
      element.closest('[role=tablist], [role=grid], [role=listbox], [role=menu], [role=radiogroup], [role=row]') !==
      null
    return [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches(':disabled'))
      .filter((element) => !(element.getAttribute('tabindex') === '-1' && isWalked(element)))
      .filter((element) => !(element instanceof HTMLInputElement && element.type === 'radio' && !element.checked))
      .map((element, number) => {
        Reflect.set(element, 'numberOfTest', number)
        return `${number} ${element.outerHTML.slice(0, 120)}`
      })
  })
}

test.for(SCREENS)(
  '$name: Tab reaches every control, shows where it is, and leaves again',
  async ({ at }, { visit }) => {
    const page = await visit.open(`${server.url}${at}`)
    await settled(page)
    // Answers that come late make controls.
    await page.waitForTimeout(1500)
    const wanted = await controls(page)
    const met: Stop[] = []
    for (let i = 0; i < wanted.length + 10; i++) {
      await page.keyboard.press('Tab')
      const stop = await focused(page)
      if (stop.id.includes(' <body')) break
      met.push(stop)
    }
    const ids = met.map(({ id }) => id)
    // Attributes may change while one walks: numbers do not.
    const numberOf = (id: string) => id.split(' ')[0]
    const missed = wanted.filter((id) => !ids.some((each) => numberOf(each) === numberOf(id)))
    expect(missed).toEqual([])
    expect(met.filter(({ isRinged }) => !isRinged).map(({ id }) => id)).toEqual([])
  },
)

test.for(SCREENS)('$name: each chart has a name, a sentence, and numbers by arrow keys', async ({ at }, { visit }) => {
  const page = await visit.open(`${server.url}${at}`)
  await settled(page)
  const charts = await page.evaluate(() =>
    [...document.querySelectorAll('.chart-stage')].map((stage) => ({
      role: stage.getAttribute('role'),
      name: stage.getAttribute('aria-label') ?? '',
      sentence: document.getElementById(stage.getAttribute('aria-describedby') ?? '')?.textContent ?? '',
      now: stage.getAttribute('aria-valuetext') ?? '',
    })),
  )
  for (const { role, name, sentence, now } of charts) {
    expect(name, JSON.stringify(charts)).toMatch(/\p{L}{2}/u)
    const words = role === 'slider' ? sentence : name
    expect(words.split(' ').length, `${name}: ${words}`).toBeGreaterThan(5)
    expect(words).not.toMatch(/NaN|undefined|null|Infinity/)
    if (role === 'slider') expect(now, name).toMatch(/\d/)
  }
  const walked = page.locator('.chart-stage[role=slider]')
  for (let i = 0; i < Math.min(3, await walked.count()); i++) {
    const chart = walked.nth(i)
    await chart.focus()
    await page.keyboard.press('End')
    const end = await chart.getAttribute('aria-valuetext')
    await page.keyboard.press('Home')
    const most = Number(await chart.getAttribute('aria-valuemax'))
    if (most > 0) expect(await chart.getAttribute('aria-valuetext')).not.toBe(end)
  }
})

test('the overview has charts, and so has every tab of plots', async ({ visit }) => {
  const page = await (await visit.context()).newPage()
  for (const tab of ['overview', 'sampler', 'pairs', 'posterior', 'variables&sel=tau']) {
    await page.goto(`${server.url}/ui/runs/schools?tab=${tab}`)
    await page.locator('.chart-stage').first().waitFor()
  }
})
