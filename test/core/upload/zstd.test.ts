/** Zstandard and Blosc, against the reference implementation that Node has, and against frames that writers sent. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readBlosc, writeBlosc } from '../../../src/core/upload/blosc.ts'
import { readZstd, writeZstd } from '../../../src/core/upload/zstd/zstd.ts'

/** Bytes with much and with little to compress. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 5_000 }),
  fc.uint8Array({ min: 0, max: 3, maxLength: 5_000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(400), fc.uint8Array({ maxLength: 40 }))
    .map(([part, times, tail]) => Uint8Array.from([...Array.from({ length: times }, () => [...part]).flat(), ...tail])),
  fc.array(fc.double(), { maxLength: 2_000 }).map((values) => new Uint8Array(new Float64Array(values).buffer)),
)

function compress(bytes: Uint8Array, level: number): Uint8Array {
  return new Uint8Array(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }))
}

test('frames of the reference implementation are read, at every level', () => {
  fc.assert(
    fc.property(content, fc.constantFrom(-5, 0, 1, 3, 9, 19), (bytes, level) => {
      expect(readZstd(compress(bytes, level), bytes.length)).toEqual(new Uint8Array(bytes))
    }),
    { numRuns: 400 },
  )
})

test('frames of several blocks are read', () => {
  const walk = new Float64Array(100_000)
  for (let i = 1; i < walk.length; i++) walk[i] = (walk[i - 1] ?? 0) + Math.sin(i * 12.9898) * 43_758.5453
  const words = Uint8Array.from({ length: 700_000 }, (_, i) => 97 + ((i * i) % 23) * Number(i % 7 < 5))
  for (const bytes of [new Uint8Array(walk.buffer), words]) {
    for (const level of [1, 3, 12]) expect(readZstd(compress(bytes, level), bytes.length)).toEqual(bytes)
  }
})

test('what is written here is read by the reference implementation', () => {
  fc.assert(
    fc.property(content, (bytes) => {
      expect(new Uint8Array(zstdDecompressSync(writeZstd(bytes)))).toEqual(new Uint8Array(bytes))
    }),
  )
  const large = new Uint8Array(300_000).fill(7)
  expect(new Uint8Array(zstdDecompressSync(writeZstd(large)))).toEqual(large)
})

test('damaged frames are refused, or give so many bytes, in bounded time', () => {
  const damaged = fc.tuple(content, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }))
  fc.assert(
    fc.property(damaged, fc.nat(3), ([bytes, changes], cut) => {
      const frame = compress(bytes, 3)
      for (const [at, value] of changes) frame[at % frame.length] = value
      try {
        expect(readZstd(frame.subarray(0, frame.length - cut), bytes.length)).toHaveLength(bytes.length)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
        expect(error).not.toBeInstanceOf(TypeError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a frame that announces 2 GB takes no memory', () => {
  const frame = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x80, 1, 0, 0])
  expect(() => readZstd(frame, 128)).toThrow('announces 2147483648 bytes, not 128')
  const blosc = Uint8Array.from([2, 1, 2, 8, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 16, 0, 0, 0])
  expect(() => readBlosc(blosc, 128)).toThrow('announces 2147483648 bytes, not 128')
})

test('Blosc frames that store their content are read back', () => {
  fc.assert(
    fc.property(content, (bytes) => {
      expect(readBlosc(writeBlosc(bytes, 8), bytes.length)).toEqual(new Uint8Array(bytes))
    }),
  )
})
