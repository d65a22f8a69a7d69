// `deploy/restore-drill.sh`, `mcbackend-edge restore-drill`: proves that a backup can be restored, without touching the server.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { isBackup } from '../src/node/backup/copy-disk.ts'
import { restore } from '../src/node/backup/restore.ts'

const HELP = `usage: restore-drill.sh (--from FOLDER | FILE) [--at COPY] [--all] [--tmp FOLDER]

Restores the newest copy of FOLDER into a temporary folder, compares it with its checksums, and starts a server of its own
on it, on a free port of this machine alone. Every run of every tenant is listed, and a slice of each is read. Ends with 0
when all of that went well, else with 1 and the reason. What was restored is removed in any case. FILE is a backup of a
version that made single files.

  --from FOLDER  the backup, as backup.sh fills it
  --at COPY      another copy of it, by its name
  --all          reads every draw, so that its checksums are verified, instead of one of each run
  --tmp FOLDER   where the temporary folder is made; it needs room for the copy   [${tmpdir()}]`

const SERVER = fileURLToPath(new URL('../src/node.ts', import.meta.url))
/** Single files of versions before. */
const BACKUP = /^mcbackend-\d{4}-\d\d-\d\dT\d{6}Z\.sqlite$/
/** Milliseconds that a server may take to open its file, which a newer version may have to bring up to date first. */
const START_MS = 10 * 60_000
/** Milliseconds that it may take to stop. */
const STOP_MS = 30_000
/** Draws that are read at once, where a draw is not too large for that. */
const PAGE = 100_000

class Failed extends Error {}

function argumentsOf() {
  try {
    return parseArgs({
      options: {
        from: { type: 'string' },
        at: { type: 'string' },
        all: { type: 'boolean', default: false },
        tmp: { type: 'string', default: tmpdir() },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    })
  } catch (error) {
    throw new Failed(`${error.message} (--help tells what there is)`)
  }
}

function newestIn(folder) {
  if (existsSync(folder) && isBackup(folder)) return folder
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => BACKUP.test(name)) : []
  const newest = names.sort().at(-1)
  if (newest === undefined) throw new Failed(`there is no backup in "${folder}"`)
  return join(folder, newest)
}

/** Looks at every page and index of the file. https://www.sqlite.org/pragma.html#pragma_integrity_check */
function requireIntact(path, name) {
  let verdict
  try {
    const database = new Database(path, { fileMustExist: true })
    verdict = database.pragma('integrity_check(1)', { simple: true })
    database.close()
  } catch (error) {
    verdict = error.message
  }
  if (verdict !== 'ok') throw new Failed(`"${name}" is damaged: ${verdict}`)
}

/** Starts a server on the copy; nothing of this process's own settings concerns it. */
async function startServer(folder, settings) {
  const others = Object.entries(process.env).filter(([name]) => !/^(MCB_|CLICKHOUSE_|PORT$|HOST$)/.test(name))
  const own = { PORT: '0', HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_STORAGE: 'sqlite', MCB_LOG: 'quiet' }
  const env = { ...Object.fromEntries(others), ...own, MCB_MIN_FREE_MIB: '0', MCB_METRICS: 'off', ...settings }
  const child = spawn(process.execPath, [SERVER], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const { promise, resolve, reject } = Promise.withResolvers()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      const url = /listening on (http:\/\/[^\s,)]+)/.exec(output)?.[1]
      if (url !== undefined) resolve(url)
    })
  }
  child.once('close', (code) => reject(new Failed(`the server ended with ${code}: ${output.trim()}`)))
  const timer = setTimeout(() => reject(new Failed(`the server does not start: ${output.trim()}`)), START_MS)
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    await closed
    clearTimeout(killing)
    if (child.exitCode !== 0) throw new Failed(`the server did not stop as it should: ${output.trim()}`)
  }
  process.once('exit', () => child.kill('SIGKILL'))
  try {
    return { url: await promise, stop }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Gets, or sends, and reads the whole answer; anything but a success is a failure of the drill. */
async function ask(url, { token, ...init } = {}, expected = [200, 201]) {
  const { pathname, search } = new URL(url)
  const said = `${init.method ?? 'GET'} ${pathname}${search}`
  try {
    const headers = { ...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'application/json' }
    const answer = await fetch(url, { ...init, headers })
    const body = Buffer.from(await answer.arrayBuffer())
    if (!expected.includes(answer.status)) throw new Failed(`${answer.status} ${body.toString().slice(0, 500)}`)
    return { status: answer.status, body }
  } catch (error) {
    throw new Failed(`${said}: ${error.message}`)
  }
}

const askJson = async (...args) => JSON.parse((await ask(...args)).body.toString())

/** Reads all runs that a token shows. */
async function readRuns({ url, token, all, counts }) {
  let cursor
  do {
    const page = await askJson(`${url}/v1/runs?limit=1000${cursor ? `&cursor=${cursor}` : ''}`, { token })
    for (const run of page.runs) {
      counts.runs++
      counts.draws += run.draws
      await readRun({ url: `${url}/v1/runs/${run.rid}`, token, all, counts })
    }
    cursor = page.nextCursor
  } while (cursor !== undefined)
}

async function readRun({ url, token, all, counts }) {
  await ask(url, { token })
  const { chains } = await askJson(`${url}/chains`, { token })
  const written = chains.filter(({ length }) => length > 0)
  for (const { chain, length } of all ? written : written.slice(0, 1)) {
    const draws = `${url}/chains/${chain}/draws`
    if (all) await readChain({ url: draws, token, length, counts })
    else await readSlice(`${draws}?start=-1`, token, counts)
  }
}

/** Reads a chain to its end, in pages that are halved where one is too large for an answer. */
async function readChain({ url, token, length, counts }) {
  let page = PAGE
  for (let start = 0; start < length; ) {
    const query = `?start=${start}&stop=${start + page}`
    if ((await readSlice(url + query, token, counts, page > 1 ? [200, 413] : [200])) === 413) page = Math.ceil(page / 2)
    else start += page
  }
}

async function readSlice(url, token, counts, expected) {
  const { status, body } = await ask(url, { token }, expected)
  if (status === 200) {
    counts.slices++
    counts.bytes += body.length
  }
  return status
}

async function inOpenMode(folder, all, counts) {
  const { url, stop } = await startServer(folder, { MCB_AUTH: 'open' })
  await ask(`${url}/healthz`)
  await ask(`${url}/readyz`)
  await readRuns({ url, all, counts })
  await stop()
}

/** With keys that are made in the copy, whose tenants have no limits and are not suspended: the drill is none of their use. */
async function ofTenants(folder, all, counts) {
  const token = randomBytes(32).toString('hex')
  const { url, stop } = await startServer(folder, { MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: token })
  const { tenants } = await askJson(`${url}/v1/tenants`, { token })
  for (const { tenant } of tenants) {
    counts.tenants++
    const change = JSON.stringify({ suspended: false, limits: { requestsPerMinute: null } })
    await ask(`${url}/v1/tenants/${tenant}`, { method: 'PATCH', token, body: change })
    const wish = JSON.stringify({ name: 'restore drill', scopes: ['read'] })
    const { key } = await askJson(`${url}/v1/tenants/${tenant}/keys`, { method: 'POST', token, body: wish })
    await readRuns({ url, token: key, all, counts })
  }
  await stop()
}

/** Restores a backup, or the single file that one of a version before is. */
async function restoreInto(folder, source, at) {
  const index = join(folder, 'mcbackend.sqlite')
  if (statSync(source).isDirectory()) {
    const { name, bytes } = await restore({ backup: source, name: at, target: folder }).catch((error) => {
      throw new Failed(error.message)
    })
    console.log(`restored ${name} of ${source}, ${(bytes / 2 ** 20).toFixed(1)} MiB`)
  } else {
    copyFileSync(source, index)
    console.log(
      `restored ${source}, ${(statSync(source).size / 2 ** 20).toFixed(1)} MiB, of ${statSync(source).mtime.toISOString()}`,
    )
  }
  requireIntact(index, source)
}

async function drill(source, { all, tmp, at }) {
  const folder = mkdtempSync(join(tmp, 'mcbackend-drill-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  await restoreInto(folder, source, at)
  const counts = { tenants: 0, runs: 0, draws: 0, slices: 0, bytes: 0 }
  await inOpenMode(folder, all, counts)
  await ofTenants(folder, all, counts)
  return counts
}

// Ends as if by itself, so that the servers and the copy go as well.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))
try {
  const { values, positionals } = argumentsOf()
  const [file, ...more] = positionals
  if (values.help) {
    console.log(HELP)
    process.exit(0)
  }
  if (more.length > 0 || (file === undefined) === (values.from === undefined)) {
    throw new Failed('give --from FOLDER, or one FILE; --help tells more')
  }
  const source = file ?? newestIn(values.from)
  if (!existsSync(source)) throw new Failed(`there is no "${source}"`)
  const begun = performance.now()
  const { tenants, runs, draws, slices, bytes } = await drill(source, values)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(
    `passed: ${tenants} tenants, ${runs} runs with ${draws} draws; ${slices} slices of ${bytes} bytes read; ${seconds} s`,
  )
  process.exit(0)
} catch (error) {
  const reason = error instanceof Failed || error.code !== undefined ? error.message : error.stack
  console.error(`restore-drill: FAILED: ${reason}`)
  process.exit(1)
}
