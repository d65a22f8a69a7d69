// Programs that the test starts: to their end, or until the test ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Milliseconds that any program has. */
const PATIENCE_MS = 240_000
/** Milliseconds that a server has to end when it is told to. */
const GRACE_MS = 30_000

const running = new Set()

// Programs that still run when this one ends, end with it.
process.once('exit', () => {
  for (const child of running) killAll(child)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** Kills a program with all that it has started: each has a group of processes of its own. */
function killAll(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function launch([command, ...args], { cwd, env }) {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  child.once('error', (error) => (output += `${error.message}\n`))
  child.once('close', () => running.delete(child))
  return { child, output: () => output }
}

/** Runs a command to its end and gives its output, also in the error when it fails. */
export async function run(command, options) {
  const { child, output } = launch(command, options)
  const timer = setTimeout(() => killAll(child), PATIENCE_MS)
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(-1))
    child.once('close', resolve)
  })
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${output()}`)
  return output()
}

/** Starts a server, waits until it listens, and gives its address and the way to end it. */
export async function serve(command, options) {
  const { child, output } = launch(command, options)
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it does not listen:\n${output()}`)), PATIENCE_MS)
    child.once('close', (code) => reject(new Error(`the server ended with ${code}:\n${output()}`)))
    child.stdout.on('data', () => {
      const found = /listening on (http:\/\/[^\s,)]+)/.exec(output())
      if (found === null) return
      clearTimeout(timer)
      resolve(found[1])
    })
  })
  const stop = async () => {
    // Its output ends with the last process that holds it: with the server, however many are in between.
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    const timer = setTimeout(() => killAll(child), GRACE_MS)
    await closed
    clearTimeout(timer)
    return output()
  }
  return { url, stop }
}
