/** The wire reader against protobufjs's writer, and against bytes that are no message. */
import fc from 'fast-check'
import protobuf from 'protobufjs/minimal.js'
import { describe, expect, test } from 'vitest'
import { McbError } from '../../src/core/errors.ts'
import {
  concatBytes,
  decodeUtf8,
  equalBytes,
  fieldHead,
  varintSize,
  WireReader,
  writeVarint,
} from '../../src/core/wire/protobuf.ts'

const uint = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
)

function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

describe('varints', () => {
  test('are written as protobufjs writes them, and read back', () => {
    fc.assert(
      fc.property(uint, (value) => {
        const bytes = new Uint8Array(varintSize(value))
        expect(writeVarint(bytes, 0, value)).toBe(bytes.length)
        expect(bytes).toEqual(own(protobuf.Writer.create().uint64(value).finish()))
        expect(new WireReader(bytes).varint()).toBe(value)
        expect(new WireReader(bytes).uint32()).toBe(Number(BigInt(value) & 0xffffffffn))
      }),
    )
  })

  test.each([
    ['2^64 - 1', [255, 255, 255, 255, 255, 255, 255, 255, 255, 1], 2 ** 64],
    ['2^63', [128, 128, 128, 128, 128, 128, 128, 128, 128, 1], 2 ** 63],
    ['padded', [133, 128, 128, 128, 128, 128, 128, 128, 128, 0], 5],
    ['bits beyond 64', [133, 128, 128, 128, 128, 128, 128, 128, 128, 126], 5],
  ])('%s', (_what, bytes, value) => {
    expect(new WireReader(own(Uint8Array.from(bytes))).varint()).toBe(value)
  })

  test('eleven bytes are too many', () => {
    const bytes = own(new Uint8Array(11).fill(128))
    expect(() => new WireReader(bytes).varint()).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
    expect(() => new WireReader(bytes).uint32()).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
  })
})

describe('fields', () => {
  const field = fc.integer({ min: 1, max: 2 ** 29 - 1 })

  test('of every wire type are passed over', () => {
    const one = fc.oneof(
      fc.tuple(field, fc.constant(0), uint),
      fc.tuple(field, fc.constant(1), fc.uint8Array({ minLength: 8, maxLength: 8 })),
      fc.tuple(field, fc.constant(2), fc.uint8Array({ maxLength: 300 })),
      fc.tuple(field, fc.constant(5), fc.uint8Array({ minLength: 4, maxLength: 4 })),
    )
    fc.assert(
      fc.property(fc.array(one), fc.boolean(), (fields, grouped) => {
        const parts = fields.map(([number, type, value]) => {
          const writer = protobuf.Writer.create().uint32(((number << 3) | type) >>> 0)
          if (typeof value === 'number') return writer.uint64(value).finish()
          return type === 2 ? writer.bytes(value).finish() : concatBytes([writer.finish(), value])
        })
        const inner = concatBytes(parts)
        const bytes = grouped ? concatBytes([[0x0b], inner, [0x0c]].map((part) => Uint8Array.from(part))) : inner
        const reader = new WireReader(bytes)
        const seen: number[] = []
        while (reader.next()) {
          seen.push(reader.field)
          reader.skip()
        }
        // Nothing that lies in a group may be taken for a field of the message.
        expect(seen).toEqual(grouped ? [1, ...fields.map(() => 0), 0] : fields.map(([number]) => number))
        expect(reader.position).toBe(bytes.length)
      }),
    )
  })

  test('a head is what protobufjs writes', () => {
    fc.assert(
      fc.property(field, fc.nat({ max: 1000 }), (number, length) => {
        const whole = protobuf.Writer.create()
          .uint32(((number << 3) | 2) >>> 0)
          .bytes(new Uint8Array(length))
          .finish()
        expect(fieldHead(number, length)).toEqual(own(whole.subarray(0, whole.length - length)))
      }),
    )
  })

  test('groups nest, but not without end', () => {
    const nested = (depth: number) =>
      own(Uint8Array.from([...new Array(depth).fill(0x0b), ...new Array(depth).fill(0x0c)]))
    const read = (bytes: Uint8Array<ArrayBuffer>) => {
      const reader = new WireReader(bytes)
      while (reader.next()) reader.skip()
    }
    expect(() => read(nested(90))).not.toThrow()
    const damaged = expect.objectContaining({ code: 'invalid_protobuf' })
    expect(() => read(nested(1_000_000))).toThrow(damaged)
    // Not ended, ended twice, or ended by another's end.
    for (const bytes of [[0x0b], [0x0b, 0x0c, 0x0c], [0x0c], [0x0b, 0x13, 0x0c, 0x14], [0x0b, 0x14]]) {
      expect(() => read(own(Uint8Array.from(bytes)))).toThrow(damaged)
    }
  })

  test('any bytes end, or are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new WireReader(own(bytes))
        try {
          while (reader.next()) reader.skip()
          expect(reader.position).toBe(bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(McbError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('UTF-8', () => {
  test('text comes back, of any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const bytes = own(new TextEncoder().encode(`..${text}`))
        expect(decodeUtf8(bytes, 2, bytes.length)).toBe(text)
      }),
    )
  })

  test.each([[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0x80]])(
    '%s is none',
    (...bytes) => {
      for (const padding of ['', 'x'.repeat(40)]) {
        const all = own(Uint8Array.from([...new TextEncoder().encode(padding), ...bytes]))
        expect(() => decodeUtf8(all, 0, all.length)).toThrow(expect.objectContaining({ code: 'invalid_protobuf' }))
      }
    },
  )
})

test('bytes are equal when each is, wherever they lie', () => {
  const place = fc.nat({ max: 9 })
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 70 }),
      place,
      place,
      fc.option(fc.nat()),
      (bytes, before, beforeOther, change) => {
        const a = own(Uint8Array.from([...new Array(before).fill(1), ...bytes])).subarray(before)
        const b = own(Uint8Array.from([...new Array(beforeOther).fill(2), ...bytes])).subarray(beforeOther)
        expect(equalBytes(a, b)).toBe(true)
        expect(equalBytes(a, b.subarray(1))).toBe(bytes.length === 0)
        if (change === null || bytes.length === 0) return
        const at = change % bytes.length
        b[at] = (b[at] ?? 0) ^ 0x80
        expect(equalBytes(a, b)).toBe(false)
      },
    ),
    { numRuns: 500 },
  )
})
