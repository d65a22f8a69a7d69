// Waits until the run of tests that started it is over, also when that was killed, and ends what it has left behind:
// every process whose temporary files are in its folder, and the folder. Processes are found on Linux alone; elsewhere a run
// ends what it has started itself.
import { readdirSync, readFileSync, rmSync } from 'node:fs'

const [folder = ''] = process.argv.slice(2)
if (folder === '') {
  console.error('usage: node scripts/guard.mjs FOLDER   (by scripts/test.mjs)')
  process.exit(1)
}
/** Milliseconds that processes have to close their files on SIGTERM. */
const GRACE_MS = 3000
/** A process that the system cannot end is not waited for. */
const PATIENCE_MS = 30_000

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
for await (const _ of process.stdin);

const begun = Date.now()
for (const pid of left()) send(pid, 'SIGTERM')
while (left().length > 0 && Date.now() - begun < PATIENCE_MS) {
  if (Date.now() - begun > GRACE_MS) for (const pid of left()) send(pid, 'SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 50))
}
try {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
} catch (error) {
  console.error(`${folder} could not be removed: ${error.message}`)
}

function left() {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isOurs(name))
    .map(Number)
}

function isOurs(pid) {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
    return variables.some((variable) => variable.startsWith(`TMPDIR=${folder}`))
  } catch {
    // It has ended, or is not ours.
    return false
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}
