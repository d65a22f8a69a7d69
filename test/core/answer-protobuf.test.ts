/** The DrawBatch of a read, which is the same however much of it there was room to hold. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { protobufAnswer } from '../../src/core/formats/protobuf.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'
import { concatBytes } from '../../src/core/wire/protobuf.ts'
import { mcbackend } from '../../src/core/wire/run-meta.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { named, numbers } from '../conformance/arrays.ts'
import { type Column, Content, variableOf } from '../conformance/columns.ts'
import { shortPage } from '../support/pages.ts'
import { roomFor } from '../support/room.ts'
import { turnsWhile } from '../support/turns.ts'

const SHAPES: readonly (readonly number[] | null)[] = [[], [2, 1], [-1], [-1, 0], [2, -1], null]
const COLUMNS: readonly Column[] = (['float64', 'str'] as const).flatMap((dtype) =>
  SHAPES.map((shape) => ({ name: `${dtype} [${shape}]`, dtype, shape })),
)
const LENGTH = 23

/** Pages of a few draws, so that a column has several. */
class ShortPages extends MemoryStore {
  override read(registration: string, chain: number, question: Question, cursor?: ReadCursor): Promise<Read> {
    return shortPage(question, 4, cursor, (...asked) => super.read(registration, chain, ...asked))
  }
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return concatBytes(pieces)
}

test('every kind of column, with any room', async () => {
  const run = await new StoreBackend(new ShortPages()).initRun({ rid: 'r', variables: COLUMNS.map(variableOf) })
  const chain = await run.initChain(0)
  const content = new Content(4, COLUMNS)
  for (let start = 0; start < LENGTH; start += 5) {
    await chain.appendBatch(content.batch(start, Math.min(5, LENGTH - start)))
  }
  const slices = fc.record({ start: fc.integer({ min: -25, max: 25 }), step: fc.constantFrom(1, 3, -1, -2) })
  const columns = fc.shuffledSubarray([...run.schema.columns], { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(slices, columns, fc.nat(150), async (slice, chosen, times) => {
      const answer = async (times?: number) => {
        const room = roomFor(times)
        const { body, length } = await protobufAnswer(await run.read(0, chosen, { slice }), DEFAULT_LIMITS, room)
        const bytes = await bytesOf(body)
        expect(bytes.length).toBe(length)
        expect(room.held).toBe(0)
        return bytes
      }
      const bytes = await answer()
      expect(Buffer.compare(bytes, await answer(times))).toBe(0)
      const batch = mcbackend.DrawBatch.decode(bytes)
      const names = chosen.map(({ name }) => name)
      expect(batch.draws.map(({ name }) => name)).toEqual(names)
    }),
    { numRuns: 100 },
  )
})

test('others have turns while the words of one shape are written', async () => {
  const variables = [{ name: 'deep', dtype: 'int8', undefinedNdim: true }]
  const run = await new StoreBackend(new MemoryStore()).initRun({ rid: 'r', variables })
  const chain = await run.initChain(0)
  const axes = 2_000_000
  const draw = numbers('int8', new Array<number>(axes).fill(1), [7])
  await chain.appendBatch({ start: 0, count: 1, draws: named(['deep', [draw]]) })
  for (const room of [roomFor(), roomFor(0)]) {
    const { body } = await protobufAnswer(await run.read(0, run.schema.columns), DEFAULT_LIMITS, room)
    const { turns, value: bytes } = await turnsWhile(() => bytesOf(body))
    expect(bytes.length).toBeGreaterThan(axes)
    expect(turns).toBeGreaterThan(axes / (64 * 1024) - 2)
  }
})
