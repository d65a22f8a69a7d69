/** A Chromium to test with: the one that is installed, or Debian's. `node scripts/chromium.ts` installs it where there is none. */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** Flags with which it draws without a screen, and asks nobody for anything by itself. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Path of a Chromium; undefined where there is none. */
export function chromiumPath(): string | undefined {
  return onPath(NAMES)
}

/** Installs Debian's Chromium where there is none and this may do so. Gives the reason why there is none then. */
export async function installChromium(): Promise<string | undefined> {
  if (chromiumPath() !== undefined) return undefined
  if (process.getuid?.() !== 0) return 'there is no Chromium, and only root can install one'
  if (onPath(['apt-get']) === undefined) return 'there is no Chromium, and no apt-get to install one'
  // Others may be installing something as well.
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120']
  try {
    await aptGet(...options, 'update')
    await aptGet(...options, 'install', '--no-install-recommends', 'chromium')
  } catch (error) {
    return `there is no Chromium, and installing one failed: ${error instanceof Error ? error.message : String(error)}`
  }
  return undefined
}

function aptGet(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const child = spawn('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`apt-get ended with ${code}: ${said.trim()}`))
    })
  })
}

function onPath(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

if (import.meta.main) {
  if (process.argv.includes('--help')) {
    console.log('usage: node scripts/chromium.ts   installs Debian’s Chromium, where there is none')
  } else console.log((await installChromium()) ?? `There is a Chromium: ${chromiumPath()}`)
}
