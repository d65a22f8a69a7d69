// Starts a module of this package on Node 24: the Node that runs this, or else the one that the package `node` has brought.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const LEAST = 24
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP']

/** Runs `module`, an address relative to this file, with these arguments, to its end. */
export async function start(module, args) {
  const url = new URL(module, import.meta.url)
  endWithNpx()
  if (Number.parseInt(process.versions.node, 10) >= LEAST) {
    process.argv.splice(1, Number.POSITIVE_INFINITY, fileURLToPath(url), ...args)
    await import(url.href)
    return
  }
  const child = spawn(ownNode(), [fileURLToPath(url), ...args], { stdio: 'inherit' })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.once('error', (error) => fail(error.message))
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    for (const name of SIGNALS) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

function ownNode() {
  const name = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), name)
  } catch {
    return fail('the package "node" is not installed')
  }
}

function fail(reason) {
  console.error(
    `mcbackend-edge: it needs Node ${LEAST}, and its own cannot be started (${reason}); install Node ${LEAST}.`,
  )
  process.exit(1)
}

/** npx passes a signal on to its shell, which may end without passing it on. */
function endWithNpx() {
  if (process.env.npm_lifecycle_event !== 'npx') return
  const parent = process.ppid
  const look = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(look)
    process.kill(process.pid, 'SIGTERM')
  }, 200)
  look.unref()
}
