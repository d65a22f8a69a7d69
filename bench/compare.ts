/** `npm run bench:compare`: this checkout's server against that of another commit, in alternating turns of one run. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bareTree } from './lib/bare-tree.ts'
import { fill, newRid, readAll } from './lib/figures.ts'
import { median, rate, seconds } from './lib/measure.ts'
import { Body, createRun, eightSchools, scalars, Writer } from './lib/model.ts'
import { type Started, start } from './lib/server.ts'
import { Connection } from './lib/wire.ts'

const HELP = `usage: npm run bench:compare -- --base COMMIT [--quick] [--only NAME]

  --base COMMIT   what this checkout is compared with; it uses the modules that are installed here
  --quick         fewer and shorter turns
  --only NAME     append, small or large; may be repeated

The servers are started as \`npm start\` does, each with a folder of its own, and take turns. A ratio is the median over turns of
this checkout's speed by that of the base; behind it, the same of this checkout without checksums. Use an idle machine.`

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

/** The servers that are compared. */
interface Servers {
  readonly here: Started
  readonly bare: Started
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

/** The medians over turns, of which the first does not count; the order changes from turn to turn. */
async function report(
  name: string,
  goal: number,
  unit: string,
  turnOf: (server: Started) => Promise<Turn>,
): Promise<void> {
  const kinds = ['here', 'bare', 'base'] as const
  const turn = { here: await turnOf(servers.here), bare: await turnOf(servers.bare), base: await turnOf(servers.base) }
  const speeds: Record<(typeof kinds)[number], number>[] = []
  for (let round = 0; round <= turns.pairs; round++) {
    const speed = { here: 0, bare: 0, base: 0 }
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) speed[kind] = await turn[kind]()
    if (round > 0) speeds.push(speed)
  }
  const ratio = median(speeds.map(({ here, base }) => here / base))
  const bare = median(speeds.map((speed) => speed.bare / speed.base))
  const verdict = `>= ${goal} ${ratio >= goal ? 'met' : bare >= goal ? 'met without checksums' : 'NOT MET'}`
  const [own, other] = [median(speeds.map(({ here }) => here)), median(speeds.map(({ base }) => base))]
  const detail = `${own.toFixed(1)} / ${other.toFixed(1)} ${unit}`
  console.log(
    `${name.padEnd(36)} ${ratio.toFixed(3)}  without checksums ${bare.toFixed(3)}  ${verdict.padEnd(30)} ${detail}`,
  )
}

type Turn = () => Promise<number>

function appends(size: number): Promise<void> {
  const label = size >= MIB ? `${size / MIB} MiB` : `${size / KIB} KiB`
  return report(`append ${label}, ${CHAINS} chains`, 0.95, 'requests/s', async (server) => {
    const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
    const [first] = connections
    if (first === undefined) throw new Error('no connection')
    const rid = newRid()
    await createRun(first, rid, eightSchools(), CHAINS)
    const writers = connections.map((c, chain) => new Writer(c, rid, chain, Body.ofSize(eightSchools(), size)))
    return () => rate(CHAINS, turns.seconds, async (worker) => writers[worker]?.append())
  })
}

function reads(name: string, query: string, repeat: number): Promise<void> {
  return report(name, 0.85, 'answers/s', async (server) => {
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
  })
}

const base = checkOut(values.base)
const bare = bareTree()
const servers: Servers = {
  here: await serve(resolve('.')),
  bare: await serve(bare.folder),
  base: await serve(base.folder),
}
try {
  if (wanted('append')) for (const size of [KIB, 64 * KIB, MIB]) await appends(size)
  if (wanted('small')) {
    await reads('read the last draw of 20 scalars', '?start=-1', 20)
    await reads('read 100 draws of one scalar', '?var=x7&start=5000&stop=5100', 20)
  }
  if (wanted('large')) await reads('read 64 MiB', '', 1)
} finally {
  for (const server of Object.values(servers)) await server.stop()
  base.remove()
  bare.remove()
}
