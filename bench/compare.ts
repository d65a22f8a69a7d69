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
  --only NAME     append, small, large or worker; may be repeated

The servers are started as \`npm start\` does, each with a folder of its own, and take turns. A ratio is the median over turns of
this checkout's speed by that of the base; behind it, the same of this checkout without checksums. \`worker\` appends to the run
objects of both Workers, each on a workerd of its own. Use an idle machine.`

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

type Kind = 'here' | 'bare' | 'base'

/** The servers that are compared; one without checksums where they are a part of the question. */
interface Servers {
  readonly here: Started
  readonly bare?: Started
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

/** Serves a tree's Worker on bare workerd, with run objects. */
const serveWorker = (tree: string) => start([process.execPath, join(tree, 'bench/workerd/server.ts'), '--data'])

interface Comparison {
  readonly name: string
  /** Ratio that this checkout should have at least. */
  readonly goal: number
  readonly unit: string
}

/** The medians over turns, of which the first does not count; the order changes from turn to turn. */
async function report(
  servers: Servers,
  { name, goal, unit }: Comparison,
  turnOf: (server: Started) => Promise<Turn>,
): Promise<void> {
  const turn = new Map<Kind, Turn>()
  for (const kind of ['here', 'bare', 'base'] as const) {
    const server = servers[kind]
    if (server !== undefined) turn.set(kind, await turnOf(server))
  }
  const speeds: Record<Kind, number>[] = []
  for (let round = 0; round <= turns.pairs; round++) {
    const speed = { here: Number.NaN, bare: Number.NaN, base: Number.NaN }
    for (const [kind, take] of round % 2 === 0 ? [...turn] : [...turn].toReversed()) speed[kind] = await take()
    if (round > 0) speeds.push(speed)
  }
  const ratio = median(speeds.map(({ here, base }) => here / base))
  const bare = turn.has('bare') ? median(speeds.map((speed) => speed.bare / speed.base)) : undefined
  const [own, other] = [median(speeds.map(({ here }) => here)), median(speeds.map(({ base }) => base))]
  const detail = `${own.toFixed(1)} / ${other.toFixed(1)} ${unit}`
  const without = bare === undefined ? '' : `without checksums ${bare.toFixed(3)}`
  console.log(
    `${name.padEnd(36)} ${ratio.toFixed(3)}  ${without.padEnd(24)} ${verdictOf(goal, ratio, bare).padEnd(30)} ${detail}`,
  )
}

function verdictOf(goal: number, ratio: number, bare: number | undefined): string {
  if (ratio >= goal) return `>= ${goal} met`
  return `>= ${goal} ${bare !== undefined && bare >= goal ? 'met without checksums' : 'NOT MET'}`
}

type Turn = () => Promise<number>

function appends(servers: Servers, what: string, size: number): Promise<void> {
  const label = size >= MIB ? `${size / MIB} MiB` : `${size / KIB} KiB`
  const comparison = { name: `${what} ${label}, ${CHAINS} chains`, goal: 0.95, unit: 'requests/s' }
  return report(servers, comparison, async (server) => {
    const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
    const [first] = connections
    if (first === undefined) throw new Error('no connection')
    const rid = newRid()
    await createRun(first, rid, eightSchools(), CHAINS)
    const writers = connections.map((c, chain) => new Writer(c, rid, chain, Body.ofSize(eightSchools(), size)))
    return () => rate(CHAINS, turns.seconds, async (worker) => writers[worker]?.append())
  })
}

function reads(servers: Servers, name: string, query: string, repeat: number): Promise<void> {
  return report(servers, { name, goal: 0.85, unit: 'answers/s' }, async (server) => {
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

/** Compares the servers on Node. */
async function compareNode(base: string): Promise<void> {
  const bare = bareTree()
  const servers = { here: await serve(resolve('.')), bare: await serve(bare.folder), base: await serve(base) }
  try {
    if (wanted('append')) for (const size of [KIB, 64 * KIB, MIB]) await appends(servers, 'append', size)
    if (wanted('small')) {
      await reads(servers, 'read the last draw of 20 scalars', '?start=-1', 20)
      await reads(servers, 'read 100 draws of one scalar', '?var=x7&start=5000&stop=5100', 20)
    }
    if (wanted('large')) await reads(servers, 'read 64 MiB', '', 1)
  } finally {
    for (const server of Object.values(servers)) await server.stop()
    bare.remove()
  }
}

async function compareWorker(base: string): Promise<void> {
  const servers = { here: await serveWorker(resolve('.')), base: await serveWorker(base) }
  try {
    for (const size of [64 * KIB, MIB, 8 * MIB]) await appends(servers, 'Worker: append', size)
  } finally {
    for (const server of Object.values(servers)) await server.stop()
  }
}

const base = checkOut(values.base)
try {
  if (['append', 'small', 'large'].some(wanted)) await compareNode(base.folder)
  if (wanted('worker')) await compareWorker(base.folder)
} finally {
  base.remove()
}
