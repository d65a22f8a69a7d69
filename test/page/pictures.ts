/** `npm run pictures`: every screen of the page, light and dark, wide and on a phone, as PNG files. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import buildPage from './support/built.ts'
import { launch, NO_CHROMIUM, type TestBrowser } from './support/chromium.ts'
import { contextOptions } from './support/fixture-options.ts'
import { hostile, normal, wide, withoutNumbers, withoutStats } from './support/runs/odd.ts'
import { cmdstan, NO_DATA, posteriordb } from './support/runs/published.ts'
import { sampled, sampling } from './support/runs/schools.ts'
import { keyedServer, openServer, type PageServer } from './support/servers.ts'

const HELP = `usage: npm run pictures -- [--only TEXT] [--to FOLDER] [--theme light|dark] [--size wide|phone]

Pictures of every screen of the page, each light and dark, 1280 × 800 and as a phone of 390 × 844, as whole pages: FOLDER/SIZE-THEME/NAME.png.

  --only TEXT   those whose name has this text; may be repeated
  --to FOLDER   where to                                          [pictures]
  --theme, --size   these alone
  --readme      the picture at the top of README.md instead: docs/images/page.webp`

interface Picture {
  readonly name: string
  /** Behind the server's address. */
  readonly at: string
  readonly after?: (page: Page) => Promise<void>
  readonly isKeyed?: boolean
}

const RUN = '/ui/runs/schools'

const PICTURES: readonly Picture[] = [
  { name: '01-runs', at: '/ui/' },
  { name: '02-runs-filtered', at: '/ui/?q=eight' },
  { name: '03-runs-none', at: '/ui/?q=nothing-has-this-name' },
  { name: '10-run-overview', at: RUN },
  { name: '11-run-live', at: '/ui/runs/live' },
  { name: '12-run-fine', at: '/ui/runs/fine' },
  { name: '20-variables', at: `${RUN}?tab=variables` },
  { name: '21-variables-vector', at: '/ui/runs/wide?tab=variables' },
  { name: '22-variable-tau', at: `${RUN}?tab=variables&sel=tau` },
  { name: '23-variable-element', at: `${RUN}?tab=variables&sel=theta[Choate]` },
  { name: '30-sampler', at: `${RUN}?tab=sampler` },
  { name: '40-pairs', at: `${RUN}?tab=pairs` },
  { name: '50-posterior', at: `${RUN}?tab=posterior` },
  { name: '60-data', at: `${RUN}?tab=data` },
  { name: '70-compare', at: '/ui/compare?runs=schools,fine' },
  { name: '80-ten-draws', at: '/ui/runs/ten' },
  { name: '81-one-chain', at: '/ui/runs/one' },
  { name: '82-one-chain-variable', at: '/ui/runs/one?tab=variables&sel=mu' },
  { name: '83-no-stats-sampler', at: '/ui/runs/statless?tab=sampler' },
  { name: '84-no-numbers-variables', at: '/ui/runs/numberless?tab=variables' },
  { name: '85-64-chains', at: '/ui/runs/many' },
  { name: '86-64-chains-variable', at: '/ui/runs/many?tab=variables&sel=mu' },
  { name: '87-one-chain-off', at: '/ui/runs/off' },
  { name: '88-hostile', at: '/ui/runs/hostile' },
  { name: '89-hostile-variables', at: '/ui/runs/hostile?tab=variables' },
  { name: '90-hostile-data', at: '/ui/runs/hostile?tab=data' },
  { name: '91-no-such-run', at: '/ui/runs/never-there' },
  { name: '92-nowhere', at: '/ui/nothing/here' },
  { name: '93-no-draws', at: '/ui/runs/empty' },
  { name: '94-help', at: RUN, after: (page) => page.keyboard.press('?') },
  { name: '95-key', at: '/ui/', isKeyed: true },
  { name: '96-no-runs', at: '/ui/', isKeyed: true, after: unlock },
]

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    to: { type: 'string', default: 'pictures' },
    theme: { type: 'string' },
    size: { type: 'string' },
    readme: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
let adminKey = ''

async function unlock(page: Page): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill(adminKey)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1 }).first().waitFor()
}

async function fill({ backend }: PageServer): Promise<{ stop(): Promise<void> }> {
  await sampled(backend, {
    rid: 'schools',
    about: {
      name: 'Eight schools, centered',
      tags: ['paper', 'fig3'],
      notes: 'The funnel of Betancourt and Girolami (2015).',
      facts: { finishedAt: new Date().toISOString(), user: 'ada' },
    },
  })
  await sampled(backend, {
    rid: 'fine',
    form: 'non-centered',
    about: { name: 'Eight schools, non-centered', tags: ['paper'], facts: { finishedAt: new Date().toISOString() } },
  })
  await normal(backend, { rid: 'ten', draws: 10 })
  await normal(backend, { rid: 'one', chains: 1 })
  await normal(backend, { rid: 'many', chains: 64, draws: 100 })
  await normal(backend, { rid: 'off', off: 2, warmup: 100 })
  await withoutStats(backend, 'statless')
  await withoutNumbers(backend, 'numberless')
  await hostile(backend, 'hostile')
  await wide(backend, { rid: 'wide' })
  await backend.initRun({ rid: 'empty', variables: [{ name: 'mu', dtype: 'float64' }] })
  if (NO_DATA === undefined) {
    await posteriordb(backend, 'posteriordb')
    await cmdstan(backend, 'cmdstan')
  }
  const facts = { expected: { draws: 20_000, warmup: 100 } }
  return sampling(backend, { rid: 'live', perSecond: 30, about: { name: 'Eight schools, live', facts } })
}

/** Waits until nothing is asked for and nothing says that it is on its way. */
async function settle(page: Page): Promise<void> {
  await page.getByRole('main').waitFor()
  await page
    .waitForFunction(
      () =>
        !/Reading (draws|figures)|Opening the run|Asking the server|Loading|being computed|no figures yet/.test(
          document.body.textContent ?? '',
        ),
      undefined,
      {
        timeout: 8000,
      },
    )
    .catch(() => undefined)
  await page.waitForTimeout(700)
}

async function main(): Promise<void> {
  await buildPage()
  if (NO_CHROMIUM !== undefined) throw new Error(NO_CHROMIUM)
  console.log('writing runs …')
  const [open, keyed] = await Promise.all([openServer(), keyedServer()])
  adminKey = keyed.admin
  const live = await fill(open)
  const browser = await launch()
  if (values.readme) {
    try {
      return await takeForReadme(browser, open)
    } finally {
      await browser.close()
      await live.stop()
      await Promise.all([open.close(), keyed.close()])
    }
  }
  const looks = (['wide', 'phone'] as const).flatMap((size) =>
    (['light', 'dark'] as const).map((theme) => ({ size, theme })),
  )
  try {
    for (const { size, theme } of looks) {
      if ((values.theme ?? theme) !== theme || (values.size ?? size) !== size) continue
      const folder = join(resolve(values.to), `${size}-${theme}`)
      if (values.only === undefined) rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder, { recursive: true })
      for (const picture of PICTURES) {
        if (values.only?.some((text) => picture.name.includes(text)) === false) continue
        const context = await browser.browser.newContext(contextOptions({ size, theme }))
        await take(await context.newPage(), picture, (picture.isKeyed ? keyed : open).url, folder)
        await context.close()
        console.log(`${size} ${theme} ${picture.name}`)
      }
    }
  } finally {
    await browser.close()
    await live.stop()
    await Promise.all([open.close(), keyed.close()])
  }
}

/** The run that samples, as it is when there is something to say of it. */
async function takeForReadme({ browser }: TestBrowser, { url, json }: PageServer): Promise<void> {
  const page = await (await browser.newContext(contextOptions({}))).newPage()
  await page.goto(`${url}/ui/runs/live`)
  for (let draws = 0; draws < 4 * 500; draws = (await json('/v1/runs/live/about')).draws) await page.waitForTimeout(500)
  await settle(page)
  await page.waitForTimeout(3000)
  const picture = (await page.screenshot()).toString('base64')
  const blank = await browser.newPage()
  // As WebP it is a third as large.
  const webp = await blank.evaluate(async (png) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]))
    const canvas = new OffscreenCanvas(image.width, image.height)
    canvas.getContext('2d')?.drawImage(image, 0, 0)
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 })
    return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''))
  }, picture)
  mkdirSync('docs/images', { recursive: true })
  writeFileSync('docs/images/page.webp', Buffer.from(webp, 'base64'))
}

async function take(page: Page, { name, at, after }: Picture, url: string, folder: string): Promise<void> {
  page.on('console', (message) => console.log(`    ${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => console.log(`    ${error}`))
  await page.goto(`${url}${at}`)
  await settle(page)
  if (after !== undefined) {
    await after(page)
    await settle(page)
  }
  await paintAll(page)
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

/** Makes the window as high as the page: charts are painted when they come into view. */
async function paintAll(page: Page): Promise<void> {
  const { width = 1280, height = 800 } = page.viewportSize() ?? {}
  const whole = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width, height: Math.max(height, Math.min(whole, 5000)) })
  await settle(page)
}

if (values.help) console.log(HELP)
else await main()
