// `npm run restore -- BACKUP FOLDER`, `mcbackend-edge restore`: a data folder of a backup, verified.
import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { restore } from '../src/node/backup/restore.ts'
import { fail, mebibytes, progressOn } from '../src/node/backup/told.ts'
import { lineOf } from '../src/node/verify/findings.ts'
import { OlderTables, verifyFolder } from '../src/node/verify/verify.ts'

const HELP = `usage: npm run restore -- BACKUP FOLDER [--at COPY]

Makes a data folder of the newest copy in BACKUP, compares each file with its checksum, and verifies all of it as "npm run
verify" does. FOLDER must be empty, or missing. Then start the server with MCB_DATA_DIR=FOLDER.

  --at COPY   another copy, by its name; it is a folder in BACKUP`

function argumentsOf() {
  try {
    return parseArgs({
      options: { help: { type: 'boolean', short: 'h' }, at: { type: 'string' } },
      allowPositionals: true,
    })
  } catch (error) {
    return fail(`${error.message} (--help tells what there is)`)
  }
}

const { values, positionals } = argumentsOf()
const [backup, target, ...more] = positionals
if (values.help || target === undefined || more.length > 0) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const found = statSync(backup, { throwIfNoEntry: false })
if (found === undefined) fail(`there is no "${backup}"`)
if (!found.isDirectory())
  fail(`"${backup}" is a file, as backups of versions before were: put it into an empty folder as mcbackend.sqlite`)

const begun = performance.now()
const progress = progressOn(process.stderr)
try {
  const { name, bytes } = await restore({ backup, name: values.at, target, progress: progress.say })
  const tell = (damage) => {
    progress.end()
    console.error(`damaged: ${lineOf(damage)}`)
  }
  const { damages, runs, draws } = await verifyFolder(target, { tell, progress: progress.say }).catch((error) => {
    if (!(error instanceof OlderTables)) throw error
    progress.end()
    console.log(`${target}: ${name}, ${mebibytes(bytes)}; ${error.message}`)
    process.exit(0)
  })
  progress.end()
  if (damages > 0)
    fail(`${name} is in "${target}", and ${damages} things of it are damaged; try an older copy with --at`)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(`${target}: ${name}, ${mebibytes(bytes)}, ${runs} runs with ${draws} draws, all verified; ${seconds} s`)
} catch (error) {
  progress.end()
  fail(`"${backup}" could not be restored (${error instanceof Error ? error.message : error})`)
}
