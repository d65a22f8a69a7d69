/** Starting on a folder of many runs: the time until the first answer, and the memory at rest. */
import { mkdtempSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { atRest } from './disk.ts'
import { atMost, connect, type Figure, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { median } from './measure.ts'
import { Body, createRun, scalars, Writer } from './model.ts'
import { type Launched, launch, residentMiB } from './server.ts'

/** Runs of the folder, with one chain each; a tenth of them with `--quick`. */
const RUNS = 100_000
const CLIENTS = 64
/** Draws of a chain, in one batch. */
const DRAWS = 4
const STARTS = 3
const QUIET_MS = 2000

/** The server as `npm start` has it. */
const serve = (folder: string) =>
  launch([process.execPath, 'src/node.ts'], {
    PORT: '0',
    MCB_LOG: 'quiet',
    MCB_MIN_FREE_MIB: '0',
    MCB_DATA_DIR: resolve(folder),
  })

/** Seconds from the start of a process until it has answered a request; the server is left running. */
async function startOn(folder: string, path: string): Promise<{ readonly seconds: number; readonly server: Launched }> {
  const begun = performance.now()
  const server = await serve(folder)
  const connection = await oneConnection(server)
  await readAll(connection, path)
  const seconds = (performance.now() - begun) / 1000
  connection.close()
  return { seconds, server }
}

export async function startFigures(scale: Scale): Promise<Figure[]> {
  const folders = [mkdtempSync('data-bench-'), mkdtempSync('data-bench-')] as const
  const [full, empty] = folders
  try {
    const runs = RUNS * scale.data
    const last = await fillAndKill(full, runs)
    const killed = await startOn(full, last)
    await killed.server.end('SIGTERM')
    const stopped = await startsOn(full, last)
    const bare = await startsOn(empty, '/v1/runs')
    const times = `${stopped.seconds.toFixed(2)} s after a stop, ${killed.seconds.toFixed(2)} s after a kill`
    const slower = Math.max(stopped.seconds, killed.seconds)
    return [
      atMost(`start on ${runs} runs`, slower, 3, 's', `${times}; ${bare.seconds.toFixed(2)} s on none`),
      {
        name: `memory at rest, ${runs} runs`,
        value: Math.round(stopped.restMiB),
        unit: 'MiB',
        goal: 'report',
        met: null,
        detail: `${bare.restMiB.toFixed(0)} MiB with none`,
      },
    ]
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Writes the runs, and kills the server as soon as the last of them is there, so that what it had left for later is still to do.
 *
 * @returns the path of the last draw of one of them
 */
async function fillAndKill(folder: string, runs: number): Promise<string> {
  const server = await serve(folder)
  const model = scalars(3)
  const connections = await connect(server, CLIENTS)
  let next = 0
  let last = ''
  await Promise.all(
    connections.map(async (connection) => {
      const body = new Body(model, DRAWS)
      while (next < runs) {
        if (next % (runs / 10) === 0) console.error(`  ${next} of ${runs} runs`)
        next++
        const rid = newRid()
        await createRun(connection, rid, model, 1)
        await new Writer(connection, rid, 0, body).append()
        last = `/v1/runs/${rid}/chains/0/draws?start=-1`
      }
    }),
  )
  for (const connection of connections) connection.close()
  await server.end('SIGKILL')
  return last
}

/** Medians of starts on a folder that was closed in order: seconds until the first answer, and memory at rest. */
async function startsOn(folder: string, path: string): Promise<{ readonly seconds: number; readonly restMiB: number }> {
  const times: number[] = []
  const rests: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const { seconds, server } = await startOn(folder, path)
    times.push(seconds)
    await atRest(server.pid, QUIET_MS)
    rests.push(residentMiB(server.pid))
    await server.end('SIGTERM')
  }
  return { seconds: median(times), restMiB: median(rests) }
}
