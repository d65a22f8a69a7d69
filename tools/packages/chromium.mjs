// A page in Chromium, for a bundle of the client.
import { CHROMIUM_FLAGS, chromiumPath, installChromium } from '../../scripts/chromium.ts'
import { Skipped } from './steps.mjs'

/** Installs Debian's Chromium where there is none and this may do so. */
export async function haveChromium() {
  const reason = await installChromium()
  if (reason !== undefined) throw new Skipped(reason)
}

/** The text that a page puts into its `output`. */
export async function textOfPage(url) {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Skipped('there is no Chromium')
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS })
  const told = []
  try {
    const page = await browser.newPage()
    page.on('pageerror', (error) => told.push(String(error)))
    page.on('console', (message) => told.push(message.text()))
    await page.goto(url)
    await page.waitForFunction(() => document.querySelector('output')?.textContent, undefined, { timeout: 60_000 })
    return await page.textContent('output')
  } catch (error) {
    throw new Error(`${error.message}\n${told.join('\n')}`)
  } finally {
    await browser.close()
  }
}
