/** Draws move to the bucket: which, when, in which order, and what stays. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { objectOf, quiet, rowsIn, tablesIn } from '../objects.ts'
import {
  A_MIB,
  appendWide,
  change,
  chunksOf,
  countIn,
  expectWide,
  holdPut,
  keysOf,
  MIB,
  open,
  patiently,
  placesOf,
  rest,
  ring,
  WIDE,
  wideBatch,
} from './bucket.ts'

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

test('an object has the chunks of several chains by chain, column and iteration', async () => {
  const variables = [...WIDE, { name: 'y', dtype: 'float64', shape: [8192] }]
  const run = await open().initRun({ rid, variables })
  const chains = [await run.initChain(0), await run.initChain(1)]
  const batch = (start: number) => {
    const { draws, ...rest } = wideBatch(start, 4)
    const x = draws.get('x')
    if (x === undefined) throw new Error('no draws')
    return { ...rest, draws: new Map([...draws, ['y', { ...x, data: x.data.map((value) => -value) }]]) }
  }
  for (const start of [0, 4]) for (const chain of chains) await chain.appendBatch(batch(start))
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: 2 * MIB })
  const placed = (await chunksOf(rid)).sort(
    (a, b) => Number(a.object) - Number(b.object) || Number(a.at) - Number(b.at),
  )
  // In the order of their ids they fill two objects.
  const places = placed.map(({ object, chain_id, col, start }) => [object, chain_id, col, start])
  expect(places).toEqual([
    ...[1, 2].flatMap((chain) => [0, 1].map((column) => [1, chain, column, 0])),
    ...[1, 2].flatMap((chain) => [0, 1].map((column) => [2, chain, column, 4])),
  ])
  const y = await (await (await open().getRun(rid))?.getChain(1))?.getDraws('y')
  expect(y).toMatchObject({
    data: wideBatch(0, 8)
      .draws.get('x')
      ?.data.map((value) => -value),
  })
})

test('a damaged chunk stays in its row, holds up no other, and is not looked at again', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await change(rid, "UPDATE chunks SET data = CAST(x'ffff' || substr(data, 3) AS BLOB) WHERE start = 4")
  await change(rid, 'UPDATE chunks SET sum = sum + 1 WHERE start = 8')
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: MIB / 2, far: MIB / 2 })
  const objects = (await chunksOf(rid)).map(({ object }) => object)
  expect(objects).toEqual([1, null, null, 1])
  await appendWide(run, A_MIB, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: MIB / 2, far: (MIB * 3) / 2 })
  const marks = await runInDurableObject(objectOf(rid), (_, { storage }) =>
    storage.sql.exec('SELECT grown FROM moved').one(),
  )
  expect(marks).toEqual({ grown: 8 })
})

test.each([
  [100_000, 1],
  [300_000, 2],
])('a draw of %i numbers, which lies in several rows, becomes one', async (size, moving) => {
  const run = await open().initRun({ rid, variables: [{ name: 'x', dtype: 'float64', shape: [size] }] })
  const chain = await run.initChain(0)
  const data = Float64Array.from({ length: size * 2 }, (_, i) => i + 0.5)
  await chain.appendBatch({ start: 0, count: 2, draws: new Map([['x', { dtype: 'float64', shape: [2, size], data }]]) })
  const rows = await chunksOf(rid)
  expect(rows.length).toBe(2 * Math.ceil((size * 8) / (256 * 1024)))
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: (2 - moving) * size * 8, far: moving * size * 8 })
  const far = (await chunksOf(rid)).filter(({ object }) => object !== null)
  expect(far).toMatchObject([0, 1].slice(0, moving).map((start) => ({ start, part: 0, size: size * 8 })))
  const draws = await (await (await open().getRun(rid))?.getChain(0))?.getDraws('x')
  expect(draws).toEqual({ dtype: 'float64', shape: [2, size], data })
})

test('at rest the small chunks move as well, and draws that come later begin new ones', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  const small = [{ name: 'z', dtype: 'float64', shape: [1000] }]
  const other = await open().initRun({ rid: `${rid}-small`, variables: small })
  const chain = await other.initChain(0)
  const batch = (start: number, count: number) => {
    const data = Float64Array.from({ length: count * 1000 }, (_, i) => start * 1000 + i)
    return { start, count, draws: new Map([['z', { dtype: 'float64', shape: [count, 1000], data } as const]]) }
  }
  // Each is larger than a tail may be, but the last of its chunks is small.
  for (let i = 0; i < 4; i++) await chain.appendBatch(batch(i * 34, 34))
  await chain.appendBatch(batch(136, 3))
  const id = `${rid}-small`
  const before = await placesOf(id)
  expect(before.near).toBe(136 * 8000)
  await rest(id)
  await expect.poll(() => placesOf(id)).toEqual({ near: 0, far: 136 * 8000 })
  expect(await countIn(id, 'tail')).toBe(1)
  const levels = () =>
    runInDurableObject(objectOf(id), (_, { storage }) => storage.sql.exec('SELECT levels FROM levels').one())
  expect(await levels()).toEqual({ levels: '[]' })
  await chain.appendBatch(batch(139, 40))
  expect((await placesOf(id)).near).toBe(43 * 8000)
  const draws = await (await (await open().getRun(id))?.getChain(0))?.getDraws('z')
  expect(draws).toMatchObject({ data: batch(0, 179).draws.get('z')?.data })
})

test('a run at rest that is small stays where it is, and its object sleeps', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB - 4)
  await rest(rid)
  await rest(rid)
  expect(await placesOf(rid)).toEqual({ near: (MIB * 3) / 4, far: 0 })
  expect(await runInDurableObject(objectOf(rid), (_, { storage }) => storage.getAlarm())).toBeNull()
  await evictDurableObject(objectOf(rid))
  expect(await runInDurableObject(objectOf(rid), (_, { storage }) => storage.getAlarm())).toBeNull()
  expect(await keysOf(rid)).toEqual([])
})

test('a run larger than its object may be is written on and on, and read back whole', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  for (let start = 0; start < 10 * A_MIB; start += A_MIB) {
    expect(await patiently(() => appendWide(run, start, A_MIB))).toBe(start + A_MIB)
    const size = await runInDurableObject(objectOf(rid), (_, { storage }) => storage.sql.databaseSize)
    expect(size).toBeLessThanOrEqual(4 * MIB)
  }
  await expectWide(rid, 10 * A_MIB)
  expect((await placesOf(rid)).far).toBeGreaterThanOrEqual(7 * MIB)
})

test('without a bucket a full object says so; with one again it moves what waits', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await runInDurableObject(objectOf(rid), (object) => {
    object.bucket = undefined
  })
  for (let start = 0; start < 3 * A_MIB; start += A_MIB) await appendWide(run, start, A_MIB)
  const full = { code: 'storage_unavailable', fields: { retryAfter: 60 } }
  await expect(appendWide(run, 3 * A_MIB, A_MIB)).rejects.toMatchObject(full)
  await expect(open().getRun(rid)).resolves.toBeDefined()
  await ring(rid)
  expect(await placesOf(rid)).toEqual({ near: 3 * MIB, far: 0 })
  // As an object wakes that a version before has written.
  await evictDurableObject(objectOf(rid))
  await open().getRun(rid)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: 3 * MIB })
  await appendWide(run, 3 * A_MIB, A_MIB)
  await expectWide(rid, 4 * A_MIB)
})

test('a small chunk whose chain is folded during the move stays, and a grown one moves', async () => {
  const small = [{ name: 'z', dtype: 'float64', shape: [1000] }]
  const run = await open().initRun({ rid, variables: small })
  const chain = await run.initChain(0)
  const batch = (start: number, count: number) => {
    const data = Float64Array.from({ length: count * 1000 }, (_, i) => start * 1000 + i)
    return { start, count, draws: new Map([['z', { dtype: 'float64', shape: [count, 1000], data } as const]]) }
  }
  for (let i = 0; i < 4; i++) await chain.appendBatch(batch(i * 34, 34))
  const held = await holdPut(rid)
  await rest(rid)
  await held.begun
  await chain.appendBatch(batch(136, 34))
  held.go()
  await expect.poll(() => countIn(rid, 'moves')).toBe(0)
  const { near, far } = await placesOf(rid)
  expect(near + far).toBe(170 * 8000)
  expect(far).toBe(3 * 32 * 8000)
  const draws = await (await (await open().getRun(rid))?.getChain(0))?.getDraws('z')
  expect(draws).toMatchObject({ data: batch(0, 170).draws.get('z')?.data })
})

test('a deletion leaves neither a row nor a key', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  expect(await open().deleteRun(rid)).toBe(true)
  await expect.poll(() => keysOf(rid)).toEqual([])
  await expect.poll(() => runInDurableObject(objectOf(rid), (_, state) => rowsIn(state))).toBe(0)
  // An alarm that comes too early is a look.
  await ring(rid)
  await ring(rid)
  expect(await runInDurableObject(objectOf(rid), (_, state) => tablesIn(state))).toEqual([])
})

test('a run that is deleted during a put, and registered again, keeps its keys and no others', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  const held = await holdPut(rid)
  await ring(rid)
  await held.begun
  const [former] = run.registration.split('.')
  expect(await open().deleteRun(rid)).toBe(true)
  const again = await open().initRun({ rid, variables: WIDE })
  await appendWide(again, 0, A_MIB)
  held.go()
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  const [uuid] = again.registration.split('.')
  expect(former).not.toBe(uuid)
  await expect.poll(() => keysOf(rid)).toEqual([`local/${rid}/${uuid}/2`])
  expect(await countIn(rid, 'runs')).toBe(1)
  await expectWide(rid, A_MIB)
})

test('draws of a deleted run wait for a bucket that is not bound', async () => {
  const run = await open().initRun({ rid, variables: WIDE })
  await appendWide(run, 0, A_MIB)
  await ring(rid)
  await expect.poll(() => placesOf(rid)).toEqual({ near: 0, far: MIB })
  await runInDurableObject(objectOf(rid), (object) => {
    object.bucket = undefined
  })
  await expect(
    open()
      .getRun(rid)
      .then((found) => found?.getChain(0))
      .then((chain) => chain?.getDraws('x')),
  ).rejects.toMatchObject({ code: 'storage_unavailable' })
  expect(await open().deleteRun(rid)).toBe(true)
  await ring(rid)
  await ring(rid)
  expect(await keysOf(rid)).toHaveLength(1)
  expect(await countIn(rid, 'runs')).toBe(1)
  await evictDurableObject(objectOf(rid))
  await ring(rid)
  await expect.poll(() => keysOf(rid)).toEqual([])
})
