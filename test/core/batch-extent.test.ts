/** Start and count of an encoded batch, read without its columns. */
import { expect, test } from 'vitest'
import { readExtent } from '../../src/core/wire/batch-extent.ts'
import { column, drawBatch } from '../http/api.ts'
import { turnsWhile } from '../support/turns.ts'

const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

test('start and count, whatever the order of the fields; the last value wins', async () => {
  const columns = drawBatch({ draws: [column('x', 1, 2)] })
  expect(await readExtent(drawBatch({ start: 7, count: 2, draws: [column('x', 1, 2)] }))).toEqual({
    start: 7,
    count: 2,
  })
  expect(await readExtent(joined(columns, drawBatch({ count: 300, start: 2 ** 40 })))).toEqual({
    start: 2 ** 40,
    count: 300,
  })
  expect(await readExtent(joined(drawBatch({ start: 1, count: 1 }), drawBatch({ count: 5 })))).toEqual({
    start: 1,
    count: 5,
  })
  expect(await readExtent(new Uint8Array())).toEqual({ start: 0, count: 0 })
})

test('columns are passed over, and what is cut off is refused', async () => {
  // Field 3, a Column, whose bytes are no message.
  const garbage = new Uint8Array([0x1a, 3, 0xff, 0xff, 0xff])
  expect(await readExtent(joined(garbage, drawBatch({ start: 4, count: 2 })))).toEqual({ start: 4, count: 2 })
  await expect(readExtent(garbage.subarray(0, 4))).rejects.toMatchObject({ code: 'invalid_protobuf' })
})

test('others have their turn while a batch of millions of fields is read', async () => {
  // Fields of number 15, which no batch has.
  const body = new Uint8Array(4 * 1024 * 1024)
  for (let i = 0; i < body.length; i += 2) body[i] = 15 * 8
  expect((await turnsWhile(() => readExtent(body))).turns).toBeGreaterThan(10)
})
