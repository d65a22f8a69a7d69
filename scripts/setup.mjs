// Installs what package-lock.json names, when that has changed, and builds the page, when that is asked for: `npm start` and
// `npm test` need no other command. Runs on any Node that npm runs on, since the Node that the project uses is installed by it.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

if (process.argv.includes('--help')) {
  console.log(`usage: node scripts/setup.mjs [--production] [--page]   installs the dependencies

  --production   only those of running
  --page         builds the page, too, where it is missing or older than its sources`)
  process.exit(0)
}

const MARKER = 'node_modules/.setup'
const installedBefore = existsSync(MARKER) ? readFileSync(MARKER, 'utf8') : ''
// A start does not take away again what tests need.
const onlyRunning = !existsSync('node_modules') || installedBefore.startsWith('production')
const production = process.argv.includes('--production') && onlyRunning
const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
// Installing for tests includes what running needs.
const isInstalled = installedBefore === `all ${lock}` || (production && installedBefore === `production ${lock}`)
if (!isInstalled) install()
if (process.argv.includes('--page')) buildPage()

function install() {
  console.log(production ? 'Installing what running needs …' : 'Installing what running and testing need …')
  // Not `npm ci`: it refuses a lock file without the packages of platforms that a registry does not carry.
  const flags = [
    'install',
    '--no-save',
    '--no-fund',
    '--no-audit',
    '--loglevel=error',
    ...(production ? ['--omit=dev'] : []),
  ]
  const npm = process.env.npm_execpath
  const result = npm
    ? spawnSync(process.execPath, [npm, ...flags], { stdio: 'inherit' })
    : spawnSync('npm', flags, { stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.status !== 0) {
    console.error('mcbackend-edge: the installation failed; npm says why above. With network access, try again.')
    process.exit(1)
  }
  writeFileSync(MARKER, `${production ? 'production' : 'all'} ${lock}`)
}

/** Builds the page on the project's own Node; that it failed is said there, and stops nobody. */
function buildPage() {
  const own = `node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`
  spawnSync(existsSync(own) ? own : process.execPath, ['scripts/page.mjs', '--start'], { stdio: 'inherit' })
}
