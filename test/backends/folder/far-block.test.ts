/** Places that are known from one question to the index, cut for another one: the same bytes as if the index had been asked. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { covering, joinNear, touching } from '../../../src/backends/folder/far-block.ts'
import { objectKey } from '../../../src/backends/folder/fold-chain.ts'
import { DamagedData } from '../../../src/backends/sqlite/checksum.ts'
import { chunksOf, type FarBlock, type Span } from '../../../src/backends/sqlite/chunks.ts'
import { blocksIn, partsOf } from '../../../src/backends/sqlite/far.ts'
import type { ColumnSpec } from '../../../src/core/draws/columns.ts'
import type { Block, Bytes } from '../../../src/core/draws/segment.ts'
import { BLOCK_BYTES, sumsOf } from '../../../src/objects/checksum.ts'
import type { Came, Objects } from '../../../src/objects/objects.ts'
import { readParts } from '../../../src/objects/parts.ts'

/** Draws of a column that lie in an object, or nowhere. */
interface Chunk {
  readonly start: number
  readonly count: number
  readonly object: number
  readonly at: number
  readonly isAbsent: boolean
}

interface Chain {
  readonly spec: ColumnSpec
  readonly chunks: readonly Chunk[]
  readonly length: number
  readonly objects: ReadonlyMap<number, Bytes>
}

/** Bytes of a draw: less than a block, a part of it that leaves a rest, a block, and more. */
const STRIDES = [1, 8, 24, 1000, 4096, 5000, BLOCK_BYTES, 3 * BLOCK_BYTES + 8]
/** Bytes of a chunk, about. */
const CHUNK = 5 * BLOCK_BYTES

const chains = fc
  .record({
    stride: fc.constantFrom(...STRIDES),
    parts: fc.array(
      fc.record({
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        gap: fc.nat(100),
        isNextObject: fc.boolean(),
        dice: fc.nat(5),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ stride, parts }) => chainOf(stride, parts))

function chainOf(
  stride: number,
  parts: readonly { readonly share: number; gap: number; isNextObject: boolean; dice: number }[],
): Chain {
  let start = 0
  let object = 1
  const ends = new Map<number, number>()
  const chunks = parts.map(({ share, gap, isNextObject, dice }) => {
    if (isNextObject) object++
    const count = Math.max(1, Math.floor((share * CHUNK) / stride))
    // Others have put theirs between.
    const at = (ends.get(object) ?? 0) + gap
    const isAbsent = dice === 0
    if (!isAbsent) ends.set(object, at + count * stride)
    start += count
    return { start: start - count, count, object, at, isAbsent }
  })
  const objects = new Map([...ends].map(([number, end]) => [number, noise(number, end)]))
  return { spec: specOf(stride), chunks, length: start, objects }
}

function specOf(stride: number): ColumnSpec {
  const shape = [stride]
  const numbers = { kind: 'rigid-numbers', dtype: 'uint8', itemSize: 1, stride } as const
  return { index: 0, name: 'x', group: 'draws', layout: 'rigid', shape, elements: stride, ...numbers }
}

function noise(seed: number, length: number): Bytes {
  const bytes = new Uint8Array(length)
  let word = Math.imul(seed, 0x9e3779b1)
  for (let i = 0; i < length; i++) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i
    bytes[i] = word >>> 24
  }
  return bytes
}

/** Spans, of which each says what is read and what is taken, as a page has them. */
const spans = ({ length }: Chain) =>
  fc.tuple(fc.nat(length - 1), fc.nat(length), fc.nat(length), fc.nat(length)).map(([first, n, before, behind]) => {
    const to = Math.min(length, first + 1 + n)
    return { from: first, to, low: Math.max(0, first - before), high: Math.min(length, to + behind) }
  })

type Range = Pick<Span, 'from' | 'to' | 'low' | 'high'>
const spanOf = (range: Range): Span => ({ place: 0, column: 0, ...range })

/** Blocks that the index gives for a span, by way of the rows that it reads. */
function asked({ spec, chunks, objects }: Chain, range: Range): FarBlock[] {
  const rows = chunks
    .filter(({ start, count, isAbsent }) => !isAbsent && start < range.to && start + count > range.from)
    .map(({ start, count, object, at }) => {
      const size = count * (spec.kind === 'rigid-numbers' ? spec.stride : 0)
      const sums = sumsOf((objects.get(object) ?? new Uint8Array()).subarray(at, at + size))
      return { span: 0, start, part: 0, count, unit: 1, data: null, sums, object, at, size, sum: null }
    })
  const found: FarBlock[] = []
  const near = () => {
    throw new Error('all of them lie in objects')
  }
  chunksOf(1, [spanOf(range)], [spec]).blocks(rows, { near, far: (_, block) => found.push(block) })
  return found
}

/** Objects in memory, whose bytes come in some steps, and which may end before. */
class ObjectsInSteps implements Objects {
  private readonly objects: ReadonlyMap<number, Bytes>
  private readonly steps: readonly number[]
  private readonly lost: number

  constructor(objects: ReadonlyMap<number, Bytes>, steps: readonly number[], lost = 0) {
    this.objects = objects
    this.steps = steps
    this.lost = lost
  }

  async get(key: string, at: number, into: Bytes, came: Came = () => {}): Promise<number | undefined> {
    const object = this.objects.get(Number(key.split('.')[1]))
    if (object === undefined) return undefined
    const length = Math.max(0, into.length - this.lost)
    let got = 0
    for (const step of [...this.steps, length]) {
      const end = Math.min(length, got + step)
      into.set(object.subarray(at + got, at + end), got)
      got = end
      await Promise.resolve()
      came(into.subarray(0, got))
    }
    return got
  }

  async put(): Promise<void> {}
  async delete(): Promise<void> {}
  async *list(): AsyncGenerator<never> {}
}

async function read(objects: Objects, far: readonly FarBlock[]): Promise<Block[]> {
  const parts = partsOf(far, (object) => objectKey(1, object))
  return blocksIn(far, parts, await readParts(objects, parts))
}

/** The bytes of each iteration, by the chunks alone. */
function truth({ spec, chunks, objects }: Chain): (Bytes | undefined)[] {
  const stride = spec.kind === 'rigid-numbers' ? spec.stride : 0
  return chunks.flatMap(({ count, object, at, isAbsent }) =>
    Array.from({ length: count }, (_, i) =>
      isAbsent ? undefined : objects.get(object)?.subarray(at + i * stride, at + (i + 1) * stride),
    ),
  )
}

const cases = chains.chain((chain) => fc.tuple(fc.constant(chain), spans(chain), spans(chain)))

test('what is known of a wider span gives what the index would', () => {
  fc.assert(
    fc.property(cases, ([chain, own, beside]) => {
      const wide = {
        from: Math.min(own.from, beside.from),
        to: Math.max(own.to, beside.to),
        low: Math.min(own.low, beside.low),
        high: Math.max(own.high, beside.high),
      }
      expect(touching(asked(chain, wide), spanOf(own))).toEqual(asked(chain, own))
    }),
    { numRuns: 2000 },
  )
})

test('blocks that cover a span hold each of its draws, of one that they do not cover one is missing', () => {
  fc.assert(
    fc.property(cases, ([chain, known, own]) => {
      const blocks = asked(chain, known)
      const held = new Set(blocks.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i)))
      const isHeld = Array.from({ length: own.to - own.from }, (_, i) => held.has(own.from + i)).every(Boolean)
      const covered = covering(blocks, spanOf(own))
      expect(covered !== undefined).toBe(isHeld)
      if (covered !== undefined) expect(covered).toEqual(touching(blocks, spanOf(own)))
    }),
    { numRuns: 2000 },
  )
})

const steps = fc.array(fc.nat(3 * BLOCK_BYTES), { maxLength: 8 })

test('blocks that were cut are verified, and hold the bytes of their draws; neighbours in memory are one block', async () => {
  await fc.assert(
    fc.asyncProperty(cases, steps, async ([chain, known, own], some) => {
      const blocks = touching(asked(chain, known), spanOf(own))
      const found = await read(new ObjectsInSteps(chain.objects, some), blocks)
      const joined = joinNear(found)
      const draws = truth(chain)
      for (const { start, count, data } of [...found, ...joined]) {
        expect(start).toBeGreaterThanOrEqual(own.low)
        expect(start + count).toBeLessThanOrEqual(own.high)
        const expected = Buffer.concat(draws.slice(start, start + count).map((draw) => draw ?? Buffer.alloc(0)))
        expect(Buffer.compare(data ?? Buffer.alloc(0), expected)).toBe(0)
      }
      const drawsIn = (all: readonly Block[]) => all.reduce((n, { count }) => n + count, 0)
      expect(drawsIn(joined)).toBe(drawsIn(found))
    }),
    { numRuns: 500 },
  )
})

test('a bit that is another one anywhere in what is read is found, and so is an end before it, in whatever steps it comes', async () => {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  await fc.assert(
    fc.asyncProperty(cases, place, steps, fc.nat(7), async ([chain, known, own], share, some, bit) => {
      for (const far of touching(asked(chain, known), spanOf(own))) {
        const object = chain.objects.get(far.object) ?? new Uint8Array()
        const flipped = object.slice()
        const at = far.at + Math.floor(share * far.length)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
        const damaged = new ObjectsInSteps(new Map([[far.object, flipped]]), some)
        await expect(read(damaged, [far])).rejects.toThrow(DamagedData)
        await expect(read(new ObjectsInSteps(chain.objects, some, 1), [far])).rejects.toThrow(DamagedData)
        await expect(read(new ObjectsInSteps(new Map(), some), [far])).rejects.toThrow(DamagedData)
      }
    }),
    { numRuns: 300 },
  )
})
