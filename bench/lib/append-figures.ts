/** Appends against what a server could do at most: the durable log, and the null sink, which does not wait for the disk. */
import { atRest } from './disk.ts'
import { atLeast, connect, type Figure, label, newRid, type Scale } from './figures.ts'
import { median, medianRatio, rate, turns } from './measure.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import type { Started } from './server.ts'
import { expectStatus, requestHead } from './wire.ts'

const MIB = 1024 * 1024
const WRITERS = 4
/** Without a write for so long, a server has written what it had left for later; the next turn would pay for it. */
const QUIET_MS = 200

/** Writers that send bodies of one size, each to a chain of its own, and each waiting for its answer. */
interface Load {
  /** Appends a second, of all writers in one turn. */
  readonly append: () => Promise<number>
  /** Bodies a second that a baseline takes of the same writers. */
  readonly baseline: (route: 'log' | 'null') => () => Promise<number>
  readonly close: () => void
}

async function openLoad(server: Started, scale: Scale, size: number, writers: number): Promise<Load> {
  const connections = await connect(server, writers)
  const model = eightSchools()
  const rid = newRid()
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, writers)
  const lanes = connections.map((connection, chain) => {
    const body = Body.ofSize(model, size)
    return { connection, body, writer: new Writer(connection, rid, chain, body) }
  })
  const turn = (step: (lane: (typeof lanes)[number]) => Promise<unknown>) => async () => {
    await atRest(server.pid, QUIET_MS)
    return rate(writers, scale.seconds, async (at) => {
      const lane = lanes[at]
      if (lane !== undefined) await step(lane)
    })
  }
  const baseline = (route: 'log' | 'null') => {
    const head = requestHead('POST', `/bench/${route}/none/chains/0/draws`, lanes[0]?.body.bytes.length ?? 0)
    return turn(({ connection, body }) => expectStatus(connection.send(head, body.bytes), 200))
  }
  const close = () => {
    for (const connection of connections) connection.close()
  }
  return { append: turn(({ writer }) => writer.append()), baseline, close }
}

const speedOf = (perSecond: number, size: number) =>
  `${perSecond.toFixed(0)}/s (${((perSecond * size) / MIB).toFixed(1)} MiB/s)`

/** Appends against the durable log, which is the goal, and against the null sink, all three in turns. */
export async function appendFigures(
  server: Started,
  scale: Scale,
  size: number,
  goal: number,
  writers = WRITERS,
): Promise<Figure[]> {
  const { append, baseline, close } = await openLoad(server, scale, size, writers)
  const [appended = [], logged = [], sunk = []] = await turns(scale.rounds, append, baseline('log'), baseline('null'))
  close()
  const name = `append ${label(size)}, ${writers} chains`
  const speed = speedOf(median(appended), size)
  return [
    atLeast(
      `${name} / durable log`,
      medianRatio(appended, logged),
      goal,
      `${speed}, durable log ${median(logged).toFixed(0)}/s`,
    ),
    atLeast(
      `${name} / null sink`,
      medianRatio(appended, sunk),
      null,
      `${speed}, null sink ${median(sunk).toFixed(0)}/s`,
    ),
  ]
}

/** Appends against the null sink, for platforms on which a program has no file to sync. */
export async function sunkFigure(server: Started, scale: Scale, size: number, goal: number | null): Promise<Figure> {
  const { append, baseline, close } = await openLoad(server, scale, size, WRITERS)
  const [appended = [], sunk = []] = await turns(scale.rounds, append, baseline('null'))
  close()
  const detail = `${speedOf(median(appended), size)}, null sink ${median(sunk).toFixed(0)}/s`
  return atLeast(`append ${label(size)}, ${WRITERS} chains`, medianRatio(appended, sunk), goal, detail)
}
