/** `npm run soak`: writers beside everything that can be done to a server, and what memory is left with it. */
import { parseArgs } from 'node:util'
import { startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { LOADS, type Load, Tally } from './loads.ts'
import { residentMiB } from './memory.ts'

const HELP = `usage: npm run soak -- [--minutes N] [--only NAME]

  --minutes N    how long the load lasts [10]; a minute of it comes before, to warm up
  --only NAME    one kind of load: ${Object.keys(LOADS).join(', ')}; may be repeated

Starts the server as \`npm start\` does, on loopback with a folder of its own, and ends with an error when a draw that was
acknowledged is not there, or when memory at rest is more than 64 MiB above what it was at rest before the load.`

const MOST_MIB = 64
const WARM_MS = 60_000
/** Until everything that was left open is cut, and what is free was given back. */
const REST_MS = 90_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const minutes = Number(values.minutes)
if (values.help || !(minutes > 0)) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const loads = Object.entries(LOADS).filter(([name]) => values.only === undefined || values.only.includes(name))

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const folder = newFolder()
const server = await startServer({ MCB_DATA_DIR: folder, MCB_LOG: 'quiet' })
const memory = () => residentMiB(server.process.pid ?? 0)

/** All loads for some time, then rest; the tally of all that was done. */
async function phase(ms: number): Promise<Tally> {
  const tally = new Tally()
  const end = Date.now() + ms
  const shared = { url: new URL(server.url), tally, isOver: () => Date.now() >= end }
  const run = async ([name, load]: [string, Load]) => {
    try {
      await load(shared)
    } catch (error) {
      tally.fail(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    }
  }
  let peak = memory()
  const timer = setInterval(() => {
    peak = Math.max(peak, memory())
  }, 250)
  const progress = setInterval(() => console.log(`  ${tally} (${memory().toFixed(0)} MiB)`), 30_000)
  await Promise.all(loads.map(run))
  clearInterval(progress)
  clearInterval(timer)
  console.log(`  ${tally}; at most ${peak.toFixed(0)} MiB`)
  return tally
}

const fresh = memory()
console.log(`fresh: ${fresh.toFixed(0)} MiB; a minute to warm up`)
const warm = await phase(WARM_MS)
await pause(REST_MS)
const before = memory()
console.log(`at rest: ${before.toFixed(0)} MiB; ${minutes} minutes of ${loads.map(([name]) => name).join(', ')}`)
const tally = await phase(minutes * 60_000)
await pause(REST_MS)
const after = memory()
const alive = (await fetch(`${server.url}/healthz`)).status === 200
await server.stop()
removeFolder(folder)
const failures = [...warm.failures, ...tally.failures]
for (const failure of failures.slice(0, 20)) console.error(failure)
const grown = after - before
console.log(
  `memory: fresh ${fresh.toFixed(0)} MiB, at rest before ${before.toFixed(0)}, at rest after ${after.toFixed(0)}: ` +
    `${grown.toFixed(0)} MiB more, at most ${MOST_MIB} are allowed; ${failures.length} faults; healthy: ${alive}`,
)
process.exit(failures.length === 0 && grown <= MOST_MIB && alive ? 0 : 1)
