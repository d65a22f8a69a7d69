/** The page as its build makes it, for tests that serve it; a project's set-up, too. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../scripts/page.mjs', import.meta.url))

/** Builds it where it is missing or older than its sources; all that was said. */
export async function buildPage(...options: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [SCRIPT, ...options])
}

export default async function setup(): Promise<void> {
  await buildPage()
}
