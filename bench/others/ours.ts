/** This server as `npm start` has it: a chain a client, to which each batch is appended. */
import { atRest } from '../lib/disk.ts'
import { connect, newRid } from '../lib/figures.ts'
import { Body, createRun, eightSchools, Writer } from '../lib/model.ts'
import { BATCH_BYTES, CLIENTS, type Contestant } from './contestant.ts'
import { freePort, startProgram } from './programs.ts'

const QUIET_MS = 200
const LOOK_MS = 50

export async function openOurs(folder: string): Promise<Contestant> {
  const port = await freePort()
  const env = { PORT: `${port}`, MCB_LOG: 'quiet', MCB_DATA_DIR: folder }
  const server = await startProgram(process.execPath, ['src/node.ts'], { port, cwd: process.cwd(), env })
  while (!(await isOpen(server.url))) await new Promise((done) => setTimeout(done, LOOK_MS))
  const connections = await connect(server, CLIENTS)
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  const model = eightSchools()
  const rid = newRid()
  await createRun(first, rid, model, CLIENTS)
  const writers = connections.map((c, chain) => new Writer(c, rid, chain, Body.ofSize(model, BATCH_BYTES)))
  return {
    batch: async (client) => writers[client]?.append(),
    settle: async () => void (await atRest(server.pid, QUIET_MS)),
  }
}

/** A server that listens may still be opening its storage. */
async function isOpen(url: URL): Promise<boolean> {
  const { ok, body } = await fetch(new URL('/v1/runs', url))
  await body?.cancel()
  return ok
}
