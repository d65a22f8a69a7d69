// `npm run clickhouse`: installs the engine into tools/clickhouse when that has changed, and starts its server.
// With --install it only installs.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../tools/clickhouse', import.meta.url))
const marker = `${folder}/node_modules/.setup`
const lock = createHash('sha256')
  .update(readFileSync(`${folder}/package-lock.json`))
  .digest('hex')

if (!process.argv.includes('--help') && !(existsSync(marker) && readFileSync(marker, 'utf8') === lock)) {
  console.log("Installing ClickHouse's engine (about 550 MB) …")
  // Not `npm ci`: it refuses a lock file without the packages of platforms that a registry does not carry.
  const flags = ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error']
  const npm = process.env.npm_execpath
  const options = { stdio: 'inherit', cwd: folder }
  const result = npm
    ? spawnSync(process.execPath, [npm, ...flags], options)
    : spawnSync('npm', flags, { ...options, shell: process.platform === 'win32' })
  if (result.status !== 0) {
    console.error("clickhouse: the engine's installation failed; npm says why above. With network access, try again.")
    process.exit(1)
  }
  writeFileSync(marker, lock)
}

if (!process.argv.includes('--install')) {
  const child = spawn(process.execPath, [`${folder}/main.ts`, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
  child.once('exit', (code) => process.exit(code ?? 1))
}
