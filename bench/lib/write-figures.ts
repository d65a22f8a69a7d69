/** Write amplification: bytes that reach the disk for each byte that is appended. */
import { atRest, writtenBytes } from './disk.ts'
import { atMost, connect, type Figure, label, newRid, type Scale } from './figures.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import type { Started } from './server.ts'

const KIB = 1024
const MIB = 1024 * KIB
const WRITERS = 4
/** As much at least, so that recycling a log and folding a tail are in it. */
const LEAST_BYTES = 512 * MIB
/** A server that has written nothing for so long has nothing left to fold. */
const QUIET_MS = 2000
const MOST_MS = 120_000

/** Bodies of 64 KiB by four writers, and all that the server writes until it is at rest. */
export async function amplificationFigure(server: Started, scale: Scale): Promise<Figure> {
  const connections = await connect(server, WRITERS)
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  const model = eightSchools()
  const rid = newRid()
  await createRun(first, rid, model, WRITERS)
  await atRest(server.pid, QUIET_MS)
  const each = Math.max(LEAST_BYTES, 1024 * MIB * scale.data) / WRITERS
  const before = writtenBytes(server.pid)
  const begun = performance.now()
  const sent = await Promise.all(
    connections.map(async (connection, chain) => {
      const body = Body.ofSize(model, 64 * KIB)
      const writer = new Writer(connection, rid, chain, body)
      let bytes = 0
      for (; bytes < each; bytes += body.bytes.length) await writer.append()
      return bytes
    }),
  )
  const appending = (performance.now() - begun) / 1000
  if (!(await atRest(server.pid, QUIET_MS, MOST_MS))) throw new Error(`the server still writes after ${MOST_MS} ms`)
  const resting = (performance.now() - begun - QUIET_MS) / 1000
  for (const connection of connections) connection.close()
  const bytes = sent.reduce((sum, one) => sum + one, 0)
  const ratio = (writtenBytes(server.pid) - before) / bytes
  const times = `${appending.toFixed(1)} s of appends, at rest after ${resting.toFixed(1)} s`
  return atMost('bytes written / appended, 64 KiB bodies', ratio, 2.5, 'ratio', `${label(bytes)}; ${times}`)
}
