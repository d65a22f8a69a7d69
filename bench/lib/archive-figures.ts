/** Figures of `mcb runs export` and `import`: against reading and appending the same bytes over HTTP, and their memory. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROTOBUF } from '../../src/core/media-types.ts'
import { atLeast, atMost, type Figure, oneConnection, type Scale } from './figures.ts'
import { median, seconds } from './measure.ts'
import { Body, createRun, eightSchools } from './model.ts'
import type { Started } from './server.ts'

const MIB = 1024 * 1024
const BYTES = 1024 * MIB
const CHAINS = 4
/** Bytes of a page of an archive, and so of the requests that it is compared with. */
const PAGE_BYTES = 4 * MIB
/** Turns that count at most: each moves 4 GiB. */
const MOST_ROUNDS = 3
const RID = 'archived'

/** One command of `mcb`, to its end. */
async function mcb(
  server: Started,
  args: readonly string[],
): Promise<{ readonly seconds: number; readonly peakMiB: number }> {
  const begun = performance.now()
  const child = spawn(process.execPath, ['src/cli/main.ts', ...args], {
    env: { ...process.env, MCB_URL: server.url.origin, MCB_TOKEN: '' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let peakMiB = 0
  const look = () => {
    peakMiB = Math.max(peakMiB, highWaterMiB(child.pid) ?? 0)
  }
  const timer = setInterval(look, 5)
  const [code] = await once(child, 'exit')
  clearInterval(timer)
  if (code !== 0) throw new Error(`mcb ${args.join(' ')} ended with ${code}`)
  return { seconds: (performance.now() - begun) / 1000, peakMiB }
}

/** Most memory that a process has had resident so far. */
function highWaterMiB(pid: number | undefined): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kib = /VmHWM:\s+(\d+)/.exec(status)?.[1]
    return kib === undefined ? undefined : Number(kib) / 1024
  } catch {
    return undefined
  }
}

export async function archiveFigures(server: Started, target: Started, scale: Scale): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-bench-'))
  try {
    return await measured(server, target, scale, join(folder, 'run.mcb'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measured(server: Started, target: Started, scale: Scale, file: string): Promise<Figure[]> {
  const model = eightSchools()
  const page = Body.ofSize(model, PAGE_BYTES)
  const pages = Math.ceil((BYTES * scale.data) / CHAINS / page.bytes.length)
  await append(server, RID, page, pages)
  const small = await mcb(server, ['runs', 'list'])
  const turns: { raw: number; mcb: number; exported: number; imported: number; peaks: readonly [number, number] }[] = []
  for (let round = 0; round <= Math.min(scale.rounds, MOST_ROUNDS); round++) {
    const read = await seconds(() => readAll(server, page.count, pages))
    const appended = await seconds(() => append(target, 'raw', page, pages))
    await remove(target, 'raw')
    const exported = await mcb(server, ['runs', 'export', RID, '--output', file])
    const imported = await mcb(target, ['runs', 'import', file])
    await remove(target, RID)
    const bytes = statSync(file).size
    rmSync(file)
    if (round === 0) continue
    const peaks = [exported.peakMiB, imported.peakMiB] as const
    turns.push({
      raw: read + appended,
      mcb: exported.seconds + imported.seconds,
      exported: bytes / exported.seconds,
      imported: bytes / imported.seconds,
      peaks,
    })
    // The parts, for who looks for the one that is slow.
    console.error(
      `read ${read.toFixed(1)} s, append ${appended.toFixed(1)} s; export ${exported.seconds.toFixed(1)} s, import ${imported.seconds.toFixed(1)} s`,
    )
  }
  const speed = (pick: (turn: (typeof turns)[number]) => number) =>
    `${(median(turns.map(pick)) / MIB).toFixed(0)} MiB/s`
  const peak = (which: 0 | 1) => Math.max(...turns.map(({ peaks }) => peaks[which]))
  const above = Math.max(peak(0), peak(1)) - small.peakMiB
  return [
    atLeast(
      'archive: export and import / read and append',
      median(turns.map((turn) => turn.raw / turn.mcb)),
      0.5,
      `export ${speed((turn) => turn.exported)}, import ${speed((turn) => turn.imported)}`,
    ),
    atMost(
      'archive: memory of mcb above that of "runs list"',
      above,
      96,
      'MiB',
      `peaks: export ${peak(0).toFixed(0)}, import ${peak(1).toFixed(0)}, "runs list" ${small.peakMiB.toFixed(0)} MiB`,
    ),
  ]
}

/** Writes the pages into each chain, one request after the other. */
async function append(server: Started, rid: string, page: Body, pages: number): Promise<void> {
  const connection = await oneConnection(server)
  await createRun(connection, rid, eightSchools(), CHAINS)
  connection.close()
  for (let chain = 0; chain < CHAINS; chain++) {
    for (let i = 0; i < pages; i++) {
      page.startAt(i * page.count)
      const path = `/v1/runs/${rid}/chains/${chain}/draws`
      const init = { method: 'POST', headers: { 'Content-Type': PROTOBUF }, body: page.bytes }
      const answer = await fetch(new URL(path, server.url), init)
      if (!answer.ok) throw new Error(`an append was answered with ${answer.status}`)
      await answer.arrayBuffer()
    }
  }
}

async function readAll(server: Started, count: number, pages: number): Promise<void> {
  for (let chain = 0; chain < CHAINS; chain++) {
    for (let i = 0; i < pages; i++) {
      const path = `/v1/runs/${RID}/chains/${chain}/draws?start=${i * count}&stop=${(i + 1) * count}`
      const answer = await fetch(new URL(path, server.url), { headers: { Accept: PROTOBUF } })
      if (!answer.ok) throw new Error(`a read was answered with ${answer.status}`)
      await answer.arrayBuffer()
    }
  }
}

async function remove(server: Started, rid: string): Promise<void> {
  await fetch(new URL(`/v1/runs/${rid}`, server.url), { method: 'DELETE' })
}
