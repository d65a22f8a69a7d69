/** Reads of few bytes from long chains: their cost, and their traffic with the storage thread. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { countHops } from '../../test/support/hops.ts'
import { atMost, type Figure, fill, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { compare, median, seconds } from './measure.ts'
import { Body, type Model, scalars, vector } from './model.ts'
import type { Started } from './server.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Draws of the chains; a tenth of them with `--quick`. */
const LENGTH = 100_000
const READS = 50
/** Bodies as large as a server takes them make the largest chunks. */
const BODY_BYTES = 60 * MIB

/** The last draw of 20 and of 300 scalars, in ms, of which each has a goal. */
export async function lastDrawFigures(
  server: Started,
  scale: Scale,
  goals: Readonly<Record<20 | 300, number>>,
): Promise<Figure[]> {
  const figures: Figure[] = []
  const connection = await oneConnection(server)
  for (const variables of [20, 300] as const) {
    const rid = newRid()
    await fill(connection, rid, scalars(variables), LENGTH * scale.data * variables * 8, BODY_BYTES)
    const times: number[] = []
    for (let i = 0; i < READS; i++) {
      times.push(1e3 * (await seconds(async () => void (await readAll(connection, `${pathOf(rid)}?start=-1`)))))
    }
    const name = `last draw of ${variables} scalars in ${LENGTH * scale.data}`
    const detail = `fastest ${Math.min(...times).toFixed(2)} ms of ${READS}`
    figures.push(atMost(name, median(times), goals[variables], 'ms', detail))
  }
  connection.close()
  return figures
}

const pathOf = (rid: string) => `/v1/runs/${rid}/chains/0/draws`

/** One element of a vector of 10,000 in 1,000 draws, against the whole vector. */
export async function elementFigure(server: Started, scale: Scale): Promise<Figure> {
  const connection = await oneConnection(server)
  const rid = newRid()
  await fill(connection, rid, vector(10_000), 1000 * scale.data * 80_000, 8 * MIB)
  const time = (query: string) => () => seconds(async () => void (await readAll(connection, `${pathOf(rid)}?${query}`)))
  const [one, all] = await compare(scale.rounds, time('var=x&elem=5000'), time('var=x'))
  connection.close()
  const detail = `${(one * 1e3).toFixed(1)} ms, all of them ${(all * 1e3).toFixed(1)} ms`
  return atMost(`1 of 10,000 elements in ${1000 * scale.data} draws / all`, one / all, 0.75, 'ratio', detail)
}

/** Calls to the storage thread for the same reads, and the bytes of their answers. */
export async function hopFigures(scale: Scale): Promise<Figure[]> {
  const folder = mkdtempSync('data-bench-')
  const migrations = resolve('migrations')
  const storage = await openFolderStorage({ path: join(folder, 'bench.sqlite'), migrations })
  const backend = new StoreBackend(storage.openStore('bench'))
  try {
    const figures: Figure[] = []
    for (const variables of [20, 300]) {
      const run = await written(backend, scalars(variables), LENGTH * scale.data)
      const most = (64 * variables) / 20
      figures.push(await hopFigure(`last draw of ${variables} scalars`, most, () => run.chain.getDrawsAt(-1)))
    }
    const { chain } = await written(backend, vector(10_000), 1000 * scale.data)
    const one = () => chain.getDraws('x', { start: -1 }, [5000])
    figures.push(await hopFigure('1 of 10,000 elements of the last draw', 1, one))
    return figures
  } finally {
    await storage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function written(backend: StoreBackend, model: Model, length: number) {
  const { schema, drawBytes } = model
  const variables = [...schema.draws.values()].map(({ name, dtype, shape }) => ({
    name,
    dtype,
    shape: [...(shape ?? [])],
  }))
  const run = await backend.initRun({ rid: newRid(), variables })
  const chain = await run.initChain(0)
  const each = Math.min(length, Math.floor(BODY_BYTES / drawBytes))
  for (let start = 0; start < length; start += each) {
    const body = new Body(model, Math.min(each, length - start))
    body.startAt(start)
    await run.append(0, body.bytes)
  }
  return { chain }
}

async function hopFigure(name: string, kib: number, read: () => Promise<unknown>): Promise<Figure> {
  await read()
  const { hops, end } = countHops()
  await read()
  end()
  const { calls, bytes } = hops
  const figure = atMost(`to the thread: ${name}`, bytes / KIB, kib, 'KiB', `${calls} call${calls === 1 ? '' : 's'}`)
  return { ...figure, met: figure.met === true && calls === 1 }
}
