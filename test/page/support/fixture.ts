/** The `test` of tests in a browser: pages that fail it in the end when they have said, or asked for, what they must not. */
import type { BrowserContext, Page } from 'playwright-core'
import { test as base, expect } from 'vitest'
import { launch, NO_CHROMIUM, type TestBrowser } from './chromium.ts'
import { contextOptions, type OpenOptions } from './fixture-options.ts'

/** One test's pages, and the words that they may say. */
export interface Visit {
  /** A profile of its own, in which tabs share workers. */
  context(options?: OpenOptions): Promise<BrowserContext>
  /** A page in a profile of its own. */
  open(url: string, options?: OpenOptions): Promise<Page>
  /** Words that are to come: a server that is away makes Chromium write lines of its own. */
  allow(pattern: RegExp): void
}

export const test = base
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of fixtures from here
  .extend('chromium', { scope: 'file' }, async ({}, { onCleanup }): Promise<TestBrowser | undefined> => {
    if (NO_CHROMIUM !== undefined) return undefined
    const browser = await launch()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('visit', async ({ chromium, skip }, { onCleanup }): Promise<Visit> => {
    if (chromium === undefined) return skip(NO_CHROMIUM)
    const problems: string[] = []
    const allowed: RegExp[] = []
    const contexts: BrowserContext[] = []
    const context = async (options: OpenOptions = {}) => {
      const opened = await chromium.browser.newContext(contextOptions(options))
      contexts.push(opened)
      if (options.key !== undefined) await opened.addInitScript(keep, options.key)
      await watch(opened, problems)
      return opened
    }
    chromium.takeStrangers()
    chromium.takeWorkerWords()
    onCleanup(async () => {
      for (const each of contexts) await each.close()
      const all = [...problems, ...chromium.takeWorkerWords(), ...chromium.takeStrangers()]
      expect(all.filter((problem) => !allowed.some((pattern) => pattern.test(problem)))).toEqual([])
    })
    return {
      context,
      open: async (url, options) => {
        const page = await (await context(options)).newPage()
        await page.goto(url)
        return page
      },
      allow: (pattern) => allowed.push(pattern),
    }
  })

/** Keeps a key for the tab, as the page does. */
function keep(key: string): void {
  if (location.protocol === 'http:') sessionStorage.setItem('mcb.key', key)
}

/** Notes all that a page must not do. */
async function watch(context: BrowserContext, problems: string[]): Promise<void> {
  await context.exposeBinding('noteViolation', (_source, text: string) => problems.push(`policy: ${text}`))
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const note: unknown = Reflect.get(window, 'noteViolation')
      if (typeof note === 'function') note(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`)
    })
  })
  context.on('page', (page) => {
    page.on('console', (message) =>
      problems.push(`console ${message.type()}: ${message.text()} ${message.location().url}`),
    )
    page.on('pageerror', (error) => problems.push(`error: ${error.stack ?? error}`))
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`)
      dialog.dismiss().catch(() => undefined)
    })
    page.on('crash', () => problems.push('the page crashed'))
  })
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    const page = new URL(request.frame().url())
    if (protocol !== 'blob:' && page.origin !== 'null' && origin !== page.origin)
      problems.push(`stranger: ${request.url()}`)
  })
  context.on('response', (response) => {
    if (response.status() >= 400) problems.push(`answer ${response.status()}: ${response.url()}`)
  })
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? ''
    // The page lets go of what it no longer waits for.
    if (why !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()} ${why}`)
  })
}
