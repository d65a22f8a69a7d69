/** Draws move to the bucket: which, when, in which order, and what stays. */
import { afterAll, beforeEach, expect, test } from 'vitest'
import { quiet } from '../objects.ts'
import { A_MIB, appendWide, chunksOf, countIn, expectWide, keysOf, MIB, open, placesOf, ring, WIDE } from './bucket.ts'

let runs = 0
let rid = ''
beforeEach(() => {
  rid = `mover-${++runs}`
})
afterAll(quiet)

test('while a run is written, what has grown moves as soon as enough of it waits', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB / 2)
  await ring(rid)
  expect(await placesOf(rid)).toEqual({ near: MIB / 2, far: 0 })
  expect(await keysOf(rid)).toEqual([])
  await appendWide(run, A_MIB / 2, A_MIB / 2)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  const [uuid] = run.registration.split('.')
  expect(await keysOf(rid)).toEqual([`local/${rid}/${uuid}/1`])
  expect(await countIn(rid, 'moves')).toBe(0)
  expect(await chunksOf(rid)).toMatchObject([0, 1, 2, 3].map((i) => ({ start: i * 4, object: 1, at: (i * MIB) / 4 })))
  await expectWide(rid, A_MIB)
})
