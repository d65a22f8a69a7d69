/** Reading draws that lie in the bucket against the same draws in the run object, on two workers that take turns. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { atLeast, type Figure, label, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { compare, seconds } from './measure.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import type { Started } from './server.ts'

const MIB = 1024 * 1024
/** Bytes that are written behind those that are read: an object keeps its last ones until as many as a move takes have come. */
const BEHIND = 18 * MIB
/** Bytes of these that must lie in the bucket as well, so that all of those that are read do. */
const BEHIND_IN_BUCKET = 6 * MIB
/** Milliseconds that draws may take to the bucket. */
const MOVE_MS = 120_000

export async function bucketReadFigure(bucket: Started, object: Started, scale: Scale): Promise<Figure> {
  const bytes = 64 * MIB * scale.data
  const [fromBucket, fromObject] = [await write(bucket, bytes), await write(object, bytes)]
  await moved(bucket.folder, bytes + BEHIND_IN_BUCKET)
  const [far, near] = await compare(scale.rounds, fromBucket.read, fromObject.read)
  for (const { close } of [fromBucket, fromObject]) close()
  const speed = (s: number) => `${(bytes / MIB / s).toFixed(0)} MiB/s`
  return atLeast(`bucket / object, read ${label(bytes)}`, near / far, null, `${speed(far)}, ${speed(near)}`)
}

/** A chain that is longer than what is read of it. */
async function write(server: Started, bytes: number) {
  const connection = await oneConnection(server)
  const rid = newRid()
  const model = eightSchools()
  await createRun(connection, rid, model, 1)
  const body = Body.ofSize(model, MIB)
  const writer = new Writer(connection, rid, 0, body)
  for (let sent = 0; sent < bytes + BEHIND; sent += body.bytes.length) await writer.append()
  const stop = Math.floor(bytes / model.drawBytes)
  const path = `/v1/runs/${rid}/chains/0/draws?stop=${stop}`
  return {
    read: () => seconds(async () => void (await readAll(connection, path))),
    close: () => connection.close(),
  }
}

/** Waits until the bucket, as workerd keeps it in files of this disk, has so many bytes. */
async function moved(folder: string, bytes: number): Promise<void> {
  for (const end = Date.now() + MOVE_MS; ; await new Promise((resolve) => setTimeout(resolve, 500))) {
    const files = readdirSync(join(folder, 'state/r2'), { recursive: true, withFileTypes: true })
    const blobs = files.filter((file) => file.isFile() && file.parentPath.endsWith('/blobs'))
    const size = blobs.reduce((n, { parentPath, name }) => n + statSync(join(parentPath, name)).size, 0)
    if (size >= bytes) return
    if (Date.now() > end) throw new Error(`the bucket has ${size} bytes instead of ${bytes}`)
  }
}
