/** `npm run bench:compare`: this checkout's server against that of another commit, in alternating turns of one run. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32 } from 'node:zlib'
import { fill, newRid, readAll } from './lib/figures.ts'
import { median, rate, seconds } from './lib/measure.ts'
import { Body, createRun, eightSchools, scalars, Writer } from './lib/model.ts'
import { type Started, start } from './lib/server.ts'
import { Connection } from './lib/wire.ts'

const HELP = `usage: npm run bench:compare -- --base COMMIT [--quick] [--only NAME]

  --base COMMIT   what this checkout is compared with; it uses the modules that are installed here
  --quick         fewer and shorter turns
  --only NAME     append, small or large; may be repeated

Both servers are started as \`npm start\` does, each with a folder of its own, and take turns. A ratio is the median over pairs of
turns of this checkout's speed by that of the base. Use an idle machine.`

const KIB = 1024
const MIB = 1024 * KIB
const CHAINS = 4

const { values } = parseArgs({
  options: {
    base: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help || values.base === undefined) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const turns = values.quick ? { pairs: 5, seconds: 0.5 } : { pairs: 25, seconds: 1 }
const wanted = (name: string) => values.only === undefined || values.only.includes(name)

interface Pair {
  readonly here: Started
  readonly base: Started
}

/** The other commit's files in a folder of their own. */
function checkOut(commit: string): { readonly folder: string; remove(): void } {
  const folder = join(mkdtempSync(join(tmpdir(), 'mcbackend-base-')), 'tree')
  execFileSync('git', ['worktree', 'add', '--detach', folder, commit], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (!existsSync(join(folder, 'node_modules'))) symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  const remove = () => {
    execFileSync('git', ['worktree', 'remove', '--force', folder])
    rmSync(resolve(folder, '..'), { recursive: true, force: true })
  }
  return { folder, remove }
}

const serve = (tree: string) =>
  start([process.execPath, join(tree, 'src/node.ts')], (folder) => ({
    PORT: '0',
    MCB_LOG: 'quiet',
    MCB_DATA_DIR: resolve(folder),
  }))

/** The median over pairs of turns, of which the first does not count; who is first changes from pair to pair. */
async function report(name: string, goal: number | undefined, unit: string, here: Turn, base: Turn): Promise<number> {
  const speeds: { readonly here: number; readonly base: number }[] = []
  for (let pair = 0; pair <= turns.pairs; pair++) {
    const first = pair % 2 === 0 ? await here() : undefined
    const other = await base()
    const own = first ?? (await here())
    if (pair > 0) speeds.push({ here: own, base: other })
  }
  const ratio = median(speeds.map((pair) => pair.here / pair.base))
  const [own, other] = [median(speeds.map((pair) => pair.here)), median(speeds.map((pair) => pair.base))]
  const verdict = goal === undefined ? '' : `>= ${goal} ${ratio >= goal ? 'met' : 'NOT MET'}`
  const detail = `${own.toFixed(1)} / ${other.toFixed(1)} ${unit}`
  console.log(`${name.padEnd(40)} ${ratio.toFixed(3)}  ${verdict.padEnd(16)} ${detail}`)
  return own
}

type Turn = () => Promise<number>

async function appends({ here, base }: Pair, size: number): Promise<number> {
  const turnOf = async (server: Started): Promise<Turn> => {
    const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
    const [first] = connections
    if (first === undefined) throw new Error('no connection')
    const rid = newRid()
    await createRun(first, rid, eightSchools(), CHAINS)
    const writers = connections.map((c, chain) => new Writer(c, rid, chain, Body.ofSize(eightSchools(), size)))
    return () => rate(CHAINS, turns.seconds, async (worker) => writers[worker]?.append())
  }
  const label = size >= MIB ? `${size / MIB} MiB` : `${size / KIB} KiB`
  return report(`append ${label}, ${CHAINS} chains`, 0.95, 'requests/s', await turnOf(here), await turnOf(base))
}

async function reads({ here, base }: Pair, name: string, goal: number, query: string, repeat: number): Promise<number> {
  const turnOf = async (server: Started): Promise<Turn> => {
    const connection = await Connection.open(server.url)
    const rid = newRid()
    await fill(connection, rid, query === '' ? eightSchools() : scalars(20), 64 * MIB, MIB)
    const path = `/v1/runs/${rid}/chains/0/draws${query}`
    return async () => {
      const time = await seconds(async () => {
        for (let i = 0; i < repeat; i++) await readAll(connection, path)
      })
      return repeat / time
    }
  }
  return report(name, goal, 'answers/s', await turnOf(here), await turnOf(base))
}

/** What the checksums of so many bytes take, in microseconds. */
function checksumMicroseconds(bytes: number): number {
  const data = new Uint8Array(16 * KIB).map((_, i) => i * 31)
  const blocks = Math.ceil(bytes / data.length)
  const times: number[] = []
  for (let turn = 0; turn < 200; turn++) {
    const begun = performance.now()
    for (let block = 0; block < blocks; block++) crc32(data)
    times.push((performance.now() - begun) * 1000)
  }
  return median(times)
}

function tellChecksums(what: string, bytes: number, perSecond: number): void {
  const us = checksumMicroseconds(bytes)
  const share = (us / (1e6 / perSecond)) * 100
  console.log(`checksums of ${what}: ${us.toFixed(0)} us, ${share.toFixed(1)} % of the time that one takes`)
}

const tree = checkOut(values.base)
try {
  const pair = { here: await serve(resolve('.')), base: await serve(tree.folder) }
  try {
    if (wanted('append')) {
      await appends(pair, KIB)
      await appends(pair, 64 * KIB)
      tellChecksums('an append of 1 MiB', MIB, await appends(pair, MIB))
    }
    if (wanted('small')) {
      await reads(pair, 'read the last draw of 20 scalars', 0.85, '?start=-1', 20)
      await reads(pair, 'read 100 draws of one scalar', 0.85, '?var=x7&start=5000&stop=5100', 20)
    }
    if (wanted('large')) tellChecksums('a read of 64 MiB', 64 * MIB, await reads(pair, 'read 64 MiB', 0.85, '', 1))
  } finally {
    await pair.here.stop()
    await pair.base.stop()
  }
} finally {
  tree.remove()
}
