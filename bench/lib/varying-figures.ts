/** Reading draws that vary in size: their bytes are measured before an answer begins. */
import { encodeRunMeta, mcbackend } from '../../src/core/wire/run-meta.ts'
import { atMost, type Figure, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { compare, seconds } from './measure.ts'
import type { Started } from './server.ts'
import { type Connection, expectStatus, requestHead } from './wire.ts'

const MIB = 1024 * 1024
/** Values of a draw. */
const VALUES = 64
const BATCH_DRAWS = 4096
const BATCHES = 12
const DTYPE = 'float64'

/** A column of which each draw has 64 values, declared as varying in size, against the same values of a fixed shape. */
export async function varyingFigure(server: Started, scale: Scale): Promise<Figure> {
  const connection = await oneConnection(server)
  const rid = newRid()
  const batches = Math.max(1, Math.round(BATCHES * scale.data))
  await write(connection, rid, batches)
  const path = `/v1/runs/${rid}/chains/0/draws`
  const time = (name: string) => () => seconds(async () => void (await readAll(connection, `${path}?var=${name}`)))
  const [varying, fixed] = await compare(scale.rounds, time('ragged'), time('fixed'))
  connection.close()
  const mib = (batches * BATCH_DRAWS * VALUES * 8) / MIB
  const detail = `${(varying * 1e3).toFixed(1)} ms, of a fixed shape ${(fixed * 1e3).toFixed(1)} ms`
  return atMost(`read ${mib} MiB that vary in size / of a fixed shape`, varying / fixed, 1.75, 'ratio', detail)
}

async function write(connection: Connection, rid: string, batches: number): Promise<void> {
  const shapes = { ragged: [-1], fixed: [VALUES] }
  const variables = Object.entries(shapes).map(([name, shape]) => ({ name, dtype: DTYPE, shape }))
  const meta = encodeRunMeta(new mcbackend.RunMeta({ variables }))
  await expectStatus(connection.send(requestHead('PUT', `/v1/runs/${rid}`, meta.length), meta), 201)
  await expectStatus(connection.send(requestHead('PUT', `/v1/runs/${rid}/chains/0`, 0)), 201)
  const values = Float64Array.from({ length: BATCH_DRAWS * VALUES }, (_, i) => Math.sin(i))
  const data = new Uint8Array(values.buffer)
  const words = Array.from({ length: BATCH_DRAWS }, () => [1, VALUES]).flat()
  for (let i = 0; i < batches; i++) {
    const draws = Object.keys(shapes).map((name) => ({
      name,
      dtype: DTYPE,
      data,
      shapes: name === 'ragged' ? words : [],
    }))
    const start = i * BATCH_DRAWS
    const body = new Uint8Array(mcbackend.DrawBatch.encode({ start, count: BATCH_DRAWS, draws }).finish())
    await expectStatus(connection.send(requestHead('POST', `/v1/runs/${rid}/chains/0/draws`, body.length), body), 200)
  }
}
