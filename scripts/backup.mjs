// `npm run backup -- FOLDER`, `mcbackend-edge backup FOLDER`: a backup of the data folder, made while the server goes on writing.
import { parseArgs } from 'node:util'
import { backUp } from '../src/node/backup/backup.ts'
import { fail, mebibytes, progressOn } from '../src/node/backup/told.ts'
import { VERSION } from '../src/version.ts'

const HELP = `usage: npm run backup -- FOLDER [--keep N]

Copies the data in MCB_DATA_DIR [./data] to FOLDER, also while the server writes: all that was acknowledged before it
began, and perhaps more. Give the same FOLDER each time: what it has already is not copied again. Each backup is a copy of
its own in it, named after its time; the oldest go when there are more than N.

  --keep N   copies that stay, 1 or more   [14]

npm run verify -- FOLDER             reads the newest copy and compares it with its checksums
npm run restore -- FOLDER NEWFOLDER  makes a data folder of it`

function argumentsOf() {
  try {
    return parseArgs({
      options: { help: { type: 'boolean', short: 'h' }, keep: { type: 'string', default: '14' } },
      allowPositionals: true,
    })
  } catch (error) {
    return fail(`${error.message} (--help tells what there is)`)
  }
}

const { values, positionals } = argumentsOf()
const [target, ...more] = positionals
if (values.help || target === undefined || more.length > 0) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
if (!/^[1-9]\d*$/.test(values.keep)) fail(`--keep must be a whole number from 1 on, not "${values.keep}"`)

const begun = performance.now()
const progress = progressOn(process.stderr)
try {
  const data = process.env.MCB_DATA_DIR ?? './data'
  const made = await backUp({ data, target, keep: Number(values.keep), version: VERSION, progress: progress.say })
  progress.end()
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  for (const name of made.removed) console.log(`removed ${name}`)
  console.log(`${target}: ${made.name}, ${mebibytes(made.copied)} copied, ${mebibytes(made.kept)} kept, ${seconds} s`)
  for (const damage of made.damages) console.error(`mcbackend-edge: ${damage}`)
  if (made.damages.length > 0) fail(`the data is damaged; "npm run verify" tells more. It was copied as it is`)
} catch (error) {
  progress.end()
  fail(`the backup could not be made (${error instanceof Error ? error.message : error})`)
}
