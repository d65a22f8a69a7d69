/** A last write of which a piece is missing that would have held one bit alone: it was cut off, and nothing is damaged. */
import { expect, test } from 'vitest'
import { Journal } from '../../src/journal/journal.ts'
import { replay } from '../../src/journal/replay.ts'
import { FaultyDisk } from '../disk/faulty-disk.ts'

const FOLDER = '/data/journal'
const PATH = `${FOLDER}/00001.journal`

/** A journal whose only batch has zeros, but for one byte of a piece in the middle and all of another piece. */
async function written(): Promise<FaultyDisk> {
  const disk = new FaultyDisk({ seed: 1, folders: ['/data'] })
  const { state } = await replay(disk, FOLDER)
  const journal = new Journal({ disk, folder: FOLDER, state, lost: () => {}, pressed: () => {} })
  const draws = new Uint8Array(4096)
  draws[1500] = 4
  draws.fill(3, 2600, 3200)
  await journal.append({ chain: 1, start: 0, count: 8, time: 0.5, segments: [draws], size: draws.length })
  return disk.killProcess()
}

const recordsOf = async (disk: FaultyDisk) => (await replay(disk, FOLDER)).segments.flatMap(({ records }) => records)

test('the batch is there', async () => {
  expect(await recordsOf(await written())).toHaveLength(1)
})

test('a piece that reads as zeros was not written', async () => {
  const disk = await written()
  disk.flipBit(PATH, disk.bytesOf(PATH).indexOf(4, 512) * 8 + 2)
  expect(await recordsOf(disk)).toHaveLength(0)
})

test('a bit that is wrong among others was flipped', async () => {
  const disk = await written()
  disk.flipBit(PATH, (disk.bytesOf(PATH).indexOf(3, 2500) + 300) * 8)
  // It was there once: who reads it is told that it is damaged.
  expect(await recordsOf(disk)).toHaveLength(1)
})
