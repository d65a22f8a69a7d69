/** Bodies that say more than they hold, or hold more than they seem to: each must be refused, or taken, at little cost. */
import { drawBatch, iterations } from './api.ts'

const MIB = 1024 * 1024
const own = (bytes: Iterable<number>) => new Uint8Array(bytes)

/** A length-delimited field. */
function field(number: number, payload: Uint8Array): Uint8Array {
  const head: number[] = [(number << 3) | 2]
  let rest = payload.length
  for (; rest >= 128; rest = Math.floor(rest / 128)) head.push((rest % 128) | 128)
  return Buffer.concat([own([...head, rest]), payload])
}

const repeated = (bytes: readonly number[], count: number) => {
  const all = new Uint8Array(bytes.length * count)
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length)
  return all
}

/** Messages in messages, `depth` of them. */
function nestedIn(tags: readonly number[], depth: number): Uint8Array {
  let inner: Uint8Array = new Uint8Array()
  for (let i = 0; i < depth; i++) inner = field(tags[i % tags.length] ?? 1, inner)
  return inner
}

/** A column of so many empty strings. */
function stringsOf(count: number): Uint8Array {
  return field(3, Buffer.concat([own([0x0a, 1, 115, 0x12, 3, ...Buffer.from('str')]), repeated([0x2a, 0], count)]))
}

const TWO_GB = [0xff, 0xff, 0xff, 0xff, 0x07]

const K = { name: 'k', dtype: 'int16' }
const valid = (iterations(10, 1).draws ?? []).filter(({ name }) => name !== 'k')
/** A batch of one iteration whose ragged column has these shapes, packed. */
const withShapes = (words: Uint8Array) =>
  Buffer.concat([
    drawBatch(iterations(10, 1, { draws: valid })),
    field(3, Buffer.concat([own([0x0a, 1, 107, 0x12, 5, ...Buffer.from('int16')]), field(4, words)])),
  ])

// Made when they are needed: together they are large.
export const APPENDS: readonly (readonly [string, () => Uint8Array])[] = [
  ['a column of 2 GB', () => own([0x1a, ...TWO_GB, 1, 2, 3])],
  ['data of 2 GB', () => field(3, own([0x1a, ...TWO_GB, 1]))],
  ['a name of 2 GB', () => field(3, own([0x0a, ...TWO_GB, 1]))],
  ['shapes of 2 GB', () => field(3, own([0x0a, 1, 107, 0x22, ...TWO_GB, 1]))],
  ['an unknown field of 2 GB', () => own([0x7a, ...TWO_GB, 1])],
  ['a length of 2^63', () => own([0x1a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])],
  ['a length of 2^64 - 1', () => own([0x1a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
  ['2^32 - 1 iterations', () => drawBatch(iterations(10, 1, { count: 2 ** 32 - 1 }))],
  ['a million empty columns', () => repeated([0x1a, 0], 1_000_000)],
  ['a million empty columns of a known name', () => repeated([0x1a, 3, 0x0a, 1, 120], 1_000_000)],
  ['a million empty strings', () => stringsOf(1_000_000)],
  ['ten million shape words', () => withShapes(repeated([1], 10_000_000))],
  ['ten million draws of no dimension', () => withShapes(repeated([0], 10_000_000))],
  [
    'a draw with ten million dimensions',
    () => withShapes(Buffer.concat([own([0x80, 0xad, 0xe2, 0x04]), repeated([1], 10_000_000)])),
  ],
  ['2^32 - 1 dimensions', () => withShapes(own([255, 255, 255, 255, 15]))],
  [
    'dimensions whose product has no end',
    () =>
      drawBatch(
        iterations(10, 1, { draws: [...valid, { ...K, shapes: [40, ...new Array<number>(40).fill(2 ** 32 - 1)] }] }),
      ),
  ],
  [
    'a dimension of 2^32 - 1',
    () => drawBatch(iterations(10, 1, { draws: [...valid, { ...K, shapes: [1, 2 ** 32 - 1] }] })),
  ],
  ['groups in groups', () => Buffer.concat([repeated([0x7b], 1_000_000), repeated([0x7c], 1_000_000)])],
  ['messages in unknown messages', () => nestedIn([15], 10_000)],
]

export const REGISTRATIONS: readonly (readonly [string, () => Uint8Array])[] = [
  ['a variable of 2 GB', () => own([0x1a, ...TWO_GB, 1, 2, 3])],
  ['an array of 2 GB', () => field(4, field(2, own([0x0a, ...TWO_GB, 1])))],
  ['a shape of 2 GB', () => field(3, own([0x1a, ...TWO_GB, 1]))],
  ['16 MiB of empty variables', () => repeated([0x1a, 0], 8 * MIB)],
  ['16 MiB of empty coordinates', () => repeated([0x22, 0], 8 * MIB)],
  ['16 MiB of empty attributes', () => repeated([0x2a, 0], 8 * MIB)],
  ['16 MiB of empty values of a list', () => field(5, field(2, field(6, repeated([0x0a, 0], 7 * MIB))))],
  ['16 MiB of a Struct’s empty members', () => field(5, field(2, field(5, repeated([0x0a, 0], 7 * MIB))))],
  ['16 MiB of shape', () => field(3, field(3, repeated([1], 15 * MIB)))],
  ['16 MiB of an array’s shape', () => field(4, field(2, field(3, repeated([1], 15 * MIB))))],
  ['16 MiB of empty dims', () => field(3, repeated([0x22, 0], 7 * MIB))],
  ['a hundred thousand empty variables', () => repeated([0x1a, 0], 100_000)],
  ['as many values as are allowed, all empty', () => field(5, field(2, field(6, repeated([0x0a, 0], 240_000))))],
  ['as many coordinates as are allowed, all empty', () => repeated([0x22, 0], 240_000)],
  ['as many data variables as are allowed, all empty', () => repeated([0x3a, 0], 240_000)],
  ['a Struct in a Struct in a …', () => field(5, field(2, field(5, nestedIn([5, 2, 1], 3000))))],
  ['a list in a list in a …', () => field(5, field(2, field(6, nestedIn([6, 1], 3000))))],
  ['groups in groups', () => Buffer.concat([repeated([0x7b], 1_000_000), repeated([0x7c], 1_000_000)])],
  // An unknown field may be anything, however deep it is.
  ['messages in unknown messages', () => nestedIn([15], 10_000)],
]
