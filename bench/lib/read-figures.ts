/** Reading a long chain whole, with checksums verified and without, against a constant source. */
import { atRest } from './disk.ts'
import { atLeast, type Figure, fill, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { median, medianRatio, rate, turns } from './measure.ts'
import { eightSchools } from './model.ts'
import type { Started } from './server.ts'

const MIB = 1024 * 1024
const CHAIN_BYTES = 64 * MIB
/** Without a write for so long, a server has folded what was written to it. */
const QUIET_MS = 1000

/** The same chain on both servers, which differ in nothing but their checksums. */
export async function readFigures(checked: Started, bare: Started, scale: Scale): Promise<Figure[]> {
  const sides = [await openSide(checked, scale), await openSide(bare, scale)] as const
  const [verified, unverified] = sides
  const [sent = [], read = [], bareSent = [], bareRead = []] = await turns(
    scale.rounds,
    verified.constant,
    verified.read,
    unverified.constant,
    unverified.read,
  )
  for (const { close } of sides) close()
  const figure = (what: string, goal: number, reads: readonly number[], constants: readonly number[]) =>
    atLeast(
      `read a chain of 64 MiB, ${what}`,
      medianRatio(reads, constants),
      goal,
      `${speed(median(reads))}, constant source ${speed(median(constants))}`,
    )
  return [figure('verified', 0.55, read, sent), figure('without checksums', 0.7, bareRead, bareSent)]
}

const speed = (chains: number) => `${((chains * CHAIN_BYTES) / MIB).toFixed(0)} MiB/s`

async function openSide(server: Started, scale: Scale) {
  const connection = await oneConnection(server)
  const rid = newRid()
  await fill(connection, rid, eightSchools(), CHAIN_BYTES, MIB)
  await atRest(server.pid, QUIET_MS)
  const path = `/v1/runs/${rid}/chains/0/draws`
  const bytes = await readAll(connection, path)
  const readsOf = (each: string) => () => rate(1, scale.seconds / 2, async () => void (await readAll(connection, each)))
  return {
    read: readsOf(path),
    constant: readsOf(`/bench/constant?bytes=${bytes}`),
    close: () => connection.close(),
  }
}
