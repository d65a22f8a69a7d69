// `npm run backup -- FILE`: a copy of the Node entry's SQLite file, made while the server goes on writing.
//
// VACUUM INTO reads one snapshot: every chain is in the copy as far as it had been acknowledged when it began. Writers do
// not wait for it. https://www.sqlite.org/lang_vacuum.html#vacuuminto
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'

const HELP = `usage: npm run backup -- FILE

Copies mcbackend.sqlite of MCB_DATA_DIR [./data] to FILE, which must not exist yet, also while the server writes.
To restore: stop the server, put FILE in the place of mcbackend.sqlite, remove mcbackend.sqlite-wal and
mcbackend.sqlite-shm beside it, start the server.`

function fail(sentence) {
  console.error(`mcbackend-edge: ${sentence}`)
  process.exit(1)
}

/** Waits until a file, or the names in a folder, are on the disk. */
function sync(path) {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
})
const [target, ...more] = positionals
if (values.help || target === undefined || more.length > 0) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}

const source = join(process.env.MCB_DATA_DIR ?? './data', 'mcbackend.sqlite')
if (!existsSync(source)) fail(`there is no "${source}"; set MCB_DATA_DIR to the folder of the server.`)
// To open an empty one takes away the write-ahead log that may lie beside it, and hold all that there is.
if (statSync(source).size === 0)
  fail(`"${source}" is empty, and was left as it is; what lies beside it may be all that is left.`)
if (existsSync(target)) fail(`"${target}" exists already; give the name of a new file.`)
const partial = `${target}.partial`
rmSync(partial, { force: true })
const begun = performance.now()
console.log(`copying ${(statSync(source).size / 2 ** 20).toFixed(0)} MiB to ${target} …`)
try {
  const database = new Database(source, { fileMustExist: true })
  database.prepare('VACUUM INTO ?').run(partial)
  database.close()
  const copy = new Database(partial)
  const [{ quick_check: verdict }] = copy.pragma('quick_check')
  const runs = copy.prepare("SELECT 1 FROM sqlite_master WHERE name = 'runs'").get()
  copy.close()
  // A copy of nothing is well-formed, too.
  if (runs === undefined) throw new Error(`"${source}" is empty, or no database of a server`)
  if (verdict !== 'ok') throw new Error(`"${source}" is damaged: ${verdict}`)
  sync(partial)
  renameSync(partial, target)
  sync(dirname(resolve(target)))
} catch (error) {
  rmSync(partial, { force: true })
  fail(`the copy could not be made (${error instanceof Error ? error.message : error}); "${target}" was not written.`)
}
const seconds = (performance.now() - begun) / 1000
console.log(`${target}: ${(statSync(target).size / 2 ** 20).toFixed(0)} MiB in ${seconds.toFixed(1)} s`)
