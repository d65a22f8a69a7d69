// A Chromium to test with: the one that is installed, or Debian's.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './programs.mjs'
import { Skipped } from './steps.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

function onPath(names) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Installs Debian's Chromium where there is none and this may do so. */
export async function installChromium() {
  if (onPath(NAMES) !== undefined) return
  if (process.getuid?.() !== 0) throw new Skipped('there is no Chromium, and only root can install one')
  if (onPath(['apt-get']) === undefined) throw new Skipped('there is no Chromium, and no apt-get to install one')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Others may be installing something as well.
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=120']
  await run([...apt, 'update'], { env })
  await run([...apt, 'install', '--no-install-recommends', 'chromium'], { env })
}

/** The text that a page puts into its `output`. */
export async function textOfPage(url) {
  const executablePath = onPath(NAMES)
  if (executablePath === undefined) throw new Skipped('there is no Chromium')
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
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
