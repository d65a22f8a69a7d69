/** The page as it is now, and a Chromium: tests in a browser need them before they begin. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { installChromium } from '../../../scripts/chromium.ts'

const BUILD = fileURLToPath(new URL('../../../scripts/page.mjs', import.meta.url))

export default async function setup(): Promise<void> {
  await promisify(execFile)(process.execPath, [BUILD])
  // Without one, tests are skipped, and say why.
  await installChromium()
}
