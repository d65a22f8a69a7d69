#!/usr/bin/env node
// `mcb`: the command line. It is TypeScript, which this Node may not run: then the one that the package brings does.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// Node strips types since 22.18, but not below a node_modules; see strip.mjs.
const isInstalled = main.includes('node_modules')
if (!isInstalled && (major > 22 || (major === 22 && minor >= 18))) {
  await import(main)
} else {
  const node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node')
  const strip = new URL('strip.mjs', import.meta.url).href
  const args = ['--disable-warning=ExperimentalWarning', '--import', strip, main, ...process.argv.slice(2)]
  const { status, error } = spawnSync(node, args, { stdio: 'inherit' })
  if (error) console.error(`mcb: its own Node cannot be started (${error.message}); install Node 24.`)
  process.exit(status ?? 1)
}
