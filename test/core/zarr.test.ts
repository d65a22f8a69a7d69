/** Chunks of the Zarr hierarchy: their grid, their keys, and gzip of fill, which zlib must read. */
import { crc32, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ITEM_SIZE, isDtype } from '../../src/core/draws/dtype.ts'
import { isMcbError } from '../../src/core/errors.ts'
import { crcOf, crcOfRepeated, joinCrc } from '../../src/core/formats/zarr/crc32.ts'
import { gzippedChunk, numberChunk, stringChunk, wholeChunk } from '../../src/core/formats/zarr/encode.ts'
import { chunkShape, drawsOfChunk } from '../../src/core/formats/zarr/grid.ts'
import { gzipWithFill } from '../../src/core/formats/zarr/gzip-fill.ts'
import { parseKey } from '../../src/core/formats/zarr/keys.ts'
import type { Drawn, TreeVariable } from '../../src/core/inference/tree.ts'

const MIB = 1024 * 1024
const bytes = fc.uint8Array({ maxLength: 3000 }).map((array) => new Uint8Array(array))
const pattern = fc
  .constantFrom([0], [0, 0, 0xc0, 0x7f], [0, 0, 0, 0, 0, 0, 0xf8, 0x7f])
  .map((of) => Uint8Array.from(of))

function repeated(of: Uint8Array, times: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: of.length * times }, (_, i) => of[i % of.length] ?? 0)
}

function drawn(own: readonly number[], dtype: Drawn['dtype'], shape: readonly number[] = [4, 1000]): Drawn {
  const dims = ['chain', 'draw', ...own.map((_, i) => `axis_${i}`)]
  return { kind: 'drawn', name: 'x', dims, shape: [...shape, ...own], dtype, attributes: {}, columns: [], rows: [] }
}

describe('gzip of bytes with fill behind them', () => {
  test('is what zlib reads as both', () => {
    const property = fc.property(bytes, pattern, fc.integer({ min: 1, max: 200_000 }), (own, of, times) => {
      const plain = Buffer.concat([own, repeated(of, times)])
      expect(Buffer.compare(gunzipSync(gzipWithFill(own, of, times)), plain)).toBe(0)
    })
    fc.assert(property, { numRuns: 60 })
  })

  test.each([0, 65_534, 65_535, 65_536, 131_070])('of %i bytes has as many stored blocks as they need', (length) => {
    const own = Uint8Array.from({ length }, (_, i) => (i * 7) % 251)
    for (const times of [1, 33, 34, 65_000]) {
      const plain = Buffer.concat([own, repeated(Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f), times)])
      const packed = gzipWithFill(own, Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f), times)
      expect(Buffer.compare(gunzipSync(packed), plain)).toBe(0)
      expect(packed.length).toBeLessThan(length + 400 + (8 * times) / 100)
    }
  })

  test('has checksums of parts, and of what is never made', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => joinCrc(crcOf(a), crcOf(b), b.length) === crc32(Buffer.concat([a, b]))),
    )
    fc.assert(
      fc.property(bytes, fc.nat(300), (of, times) => crcOfRepeated(of, times) === crc32(repeated(of, times))),
      { numRuns: 30 },
    )
  })
})

describe('chunks', () => {
  test('have a length that the variable alone decides: a power of two, at most 4,096 draws and 1 MiB', () => {
    const shapes = fc.array(fc.nat(300), { maxLength: 3 })
    const dtype = fc.constantFrom(...Object.keys(ITEM_SIZE), 'str').filter(isDtype)
    const property = fc.property(shapes, dtype, fc.nat(10), fc.nat(100_000), (own, of, chains, draws) => {
      const variable = drawn(own, of, [chains, draws])
      const count = drawsOfChunk(variable)
      expect(count).toBe(drawsOfChunk(drawn(own, of)))
      expect(Math.log2(count) % 1).toBe(0)
      const draw = own.reduce((n, size) => n * size, of === 'str' ? 64 : ITEM_SIZE[of])
      expect(count === 1 || count * draw <= MIB).toBe(true)
      expect(count === 4096 || 2 * count * draw > MIB).toBe(true)
      expect(chunkShape(variable)).toEqual([1, count, ...own.map((size) => Math.max(1, size))])
    })
    fc.assert(property)
    expect(drawsOfChunk(drawn([], 'float64'))).toBe(4096)
    expect(drawsOfChunk(drawn([100], 'float64'))).toBe(1024)
    expect(drawsOfChunk(drawn([8_000_000], 'float64'))).toBe(1)
  })

  test('of coordinates do not depend on how many chains and draws there are; those of others are whole', () => {
    const counted = (name: string, size: number): TreeVariable => {
      return { kind: 'counted', name, dims: [name], shape: [size], dtype: 'int64', attributes: {}, first: 0, step: 1 }
    }
    expect([counted('draw', 3), counted('draw', 9000)].map(chunkShape)).toEqual([[4096], [4096]])
    expect([counted('chain', 1), counted('chain', 300)].map(chunkShape)).toEqual([[256], [256]])
    expect([counted('school', 8), counted('pixel', 16_000_000)].map(chunkShape)).toEqual([[8], [131_072]])
  })

  test('of numbers have their fill behind the rows, whichever way these come', async () => {
    const rows = [Float32Array.of(1, 2), Float32Array.of(3)].map((part) => new Uint8Array(part.buffer))
    const whole = await wholeChunk('float32', { length: 24, fill: 12 }, rows)
    expect([...new Float32Array(whole.buffer)]).toEqual([1, 2, 3, Number.NaN, Number.NaN, Number.NaN])
    const pieces: Uint8Array[] = []
    for await (const piece of numberChunk('float32', { length: 24, fill: 12 }, rows)) pieces.push(piece)
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(whole)
    const packed = await gzippedChunk('float32', { length: 24, fill: 12 }, rows)
    expect(new Uint8Array(gunzipSync(packed))).toEqual(whole)
    const ints = await wholeChunk('int64', { length: 32, fill: 24 }, [new Uint8Array(BigInt64Array.of(-5n).buffer)])
    expect([...new BigInt64Array(ints.buffer)]).toEqual([-5n, 0n, 0n, 0n])
    const [only = new Uint8Array()] = rows
    expect(await wholeChunk('float32', { length: 8, fill: 0 }, [only]), 'no copy where none is needed').toBe(only)
  })

  test('of strings have their number, and the length of each before its bytes', async () => {
    const encoder = new TextEncoder()
    const parts = [['a', ''], ['é∂']].map((texts) => {
      const encoded = texts.map((text) => encoder.encode(text))
      return {
        lengths: Uint32Array.from(encoded, ({ length }) => length),
        payload: new Uint8Array(Buffer.concat(encoded)),
      }
    })
    const pieces: Uint8Array[] = []
    for await (const piece of stringChunk(5, parts)) pieces.push(piece)
    const expected = [
      5,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      97,
      0,
      0,
      0,
      0,
      5,
      0,
      0,
      0,
      ...encoder.encode('é∂'),
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    ]
    expect([...Buffer.concat(pieces)]).toEqual(expected)
  })
})

describe('keys', () => {
  const segments = (path: string) => path.split('/').map((name) => ({ name, sent: name }))

  test.each([
    ['zarr.json', 'root'],
    ['posterior/zarr.json', 'group'],
    ['posterior/theta/zarr.json', 'array'],
    ['posterior/zarr.json/zarr.json', 'array'],
    ['posterior/theta/c', 'chunk'],
    ['posterior/theta/c/0/12/0', 'chunk'],
    ['posterior/c/c/0', 'chunk'],
    ['.zmetadata', 'older'],
    ['posterior/theta/.zarray', 'older'],
  ])('%s is that of a %s', (path, kind) => {
    expect(parseKey(segments(path)).kind).toBe(kind)
  })

  test.each([
    '',
    'posterior',
    'posterior/theta',
    'posterior/theta/c/',
    'posterior/theta/c/-1',
    'posterior/theta/c/01',
    'posterior/theta/c/1.0',
    'posterior/theta/c/1e3',
    'posterior/theta/c/9999999999999999999',
    'posterior/theta/0/0',
    'a/b/c/zarr.json',
    'c/0/0',
  ])('%j is none, which is more than a missing chunk', (path) => {
    expect(() => parseKey(segments(path))).toThrow(
      expect.toSatisfy((error: unknown) => isMcbError(error, 'invalid_parameter')),
    )
  })
})
