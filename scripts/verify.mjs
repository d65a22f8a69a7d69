// `npm run verify -- [FOLDER]`, `mcbackend-edge verify`: reads all data of a folder or a backup, and reports what is damaged.
import { parseArgs } from 'node:util'
import { isBackup } from '../src/node/backup/copy-disk.ts'
import { fail, mebibytes, progressOn } from '../src/node/backup/told.ts'
import { lineOf } from '../src/node/verify/findings.ts'
import { isInUse, verifyBackup, verifyFolder } from '../src/node/verify/verify.ts'

const HELP = `usage: npm run verify -- [FOLDER] [--at COPY] [--json]

Reads all data in FOLDER [MCB_DATA_DIR, or ./data] and compares it with its checksums: the folder of a server, stopped or
running, or a backup. It changes nothing. Each damage is a line, and so is each damaged chain, with the iteration up to
which it is sound. Ends with 0 when all is sound, else with 1.

  --at COPY   the copy of a backup, by its name   [the newest]
  --json      one JSON document instead of lines

Beside a server that writes, draws that come meanwhile are not looked at.`

function argumentsOf() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        at: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    })
  } catch (error) {
    return fail(`${error.message} (--help tells what there is)`)
  }
}

const { values, positionals } = argumentsOf()
if (values.help || positionals.length > 1) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const folder = positionals[0] ?? process.env.MCB_DATA_DIR ?? './data'
const begun = performance.now()
const progress = progressOn(process.stderr)
const damages = []
const tell = (damage) => {
  progress.end()
  if (values.json) damages.push(damage)
  else console.log(`damaged: ${lineOf(damage)}`)
}

async function verified() {
  const options = { tell, progress: progress.say }
  if (isBackup(folder)) return verifyBackup(folder, values.at, options)
  if (values.at !== undefined) fail(`"${folder}" is no backup, so --at names nothing in it`)
  if (isInUse(folder) && !values.json)
    console.log(`a server has "${folder}"; what it writes meanwhile is not looked at`)
  return verifyFolder(folder, options)
}

try {
  const verdict = await verified()
  progress.end()
  const seconds = (performance.now() - begun) / 1000
  if (values.json) console.log(JSON.stringify({ sound: verdict.damages === 0, ...verdict, damages, seconds }, null, 2))
  else summarise(verdict, seconds)
  process.exit(verdict.damages === 0 ? 0 : 1)
} catch (error) {
  progress.end()
  fail(`"${folder}" could not be verified (${error instanceof Error ? error.message : error})`)
}

function summarise({ runs, chains, draws, bytes, staged, unsummed, strays, damages: n, damagedChains }, seconds) {
  for (const { tenant, rid, chain, length, soundTo } of damagedChains)
    console.log(`tenant "${tenant}", run "${rid}", chain ${chain}: sound up to iteration ${soundTo} of ${length}`)
  if (unsummed > 0)
    console.log(`${unsummed} rows of versions before have no checksums; their lengths alone were looked at`)
  if (strays.length > 0) {
    const size = strays.reduce((sum, stray) => sum + stray.bytes, 0)
    console.log(`${strays.length} objects of ${mebibytes(size)} that nothing names; they harm nothing`)
  }
  const what = `${runs} runs, ${chains} chains with ${draws} draws, ${staged} staged objects; ${mebibytes(bytes)}, ${seconds.toFixed(1)} s`
  console.log(
    n === 0 ? `sound: ${what}` : `DAMAGED: ${n} damages in ${damagedChains.length} chains or beside them; ${what}`,
  )
}
