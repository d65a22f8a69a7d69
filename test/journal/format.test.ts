/** The bytes of a journal: as another hand writes them, and back. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  groupHeadIn,
  putGroupHead,
  putRecordHead,
  RECORD_HEAD,
  recordHeadIn,
  SEGMENT_HEAD,
  sealRecord,
  seedIn,
  segmentHeadIn,
  segmentHeadOf,
} from '../../src/journal/format.ts'
import { segmentName, slotIn } from '../../src/journal/segment.ts'
import { MemoryDisk } from './support/memory-disk.ts'
import { attempt, FOLDER, newJournal, recordOf, wordOf } from './support/records.ts'

/** CRC-32 as https://www.rfc-editor.org/rfc/rfc1952#section-8 has it, going on from another one. */
function crc(bytes: Uint8Array, before = 0): number {
  let sum = ~before
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
  }
  return ~sum >>> 0
}

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const f64 = (value: number) => Buffer.from(Float64Array.of(value).buffer)

interface Hand {
  readonly sequence: number
  readonly oldest: number
  readonly previous: number
  readonly previousEnd: number
  readonly salt: bigint
  readonly groups: readonly (readonly ReturnType<typeof recordOf>[])[]
}

/** A segment as docs/format.md describes it. */
function byHand({ sequence, oldest, previous, previousEnd, salt, groups }: Hand): Buffer {
  const numbers = [sequence, oldest, previous, previousEnd, salt].map(u64)
  const head = Buffer.concat([Buffer.from('MCBJRNL1'), ...numbers, Buffer.alloc(12)])
  const seed = crc(head)
  const parts = [head, u32(seed)]
  groups.forEach((records, number) => {
    const bytes = Buffer.concat(records.map((record) => recordByHand(record, seed)))
    const groupHead = Buffer.concat([
      Buffer.from('MCBG'),
      u32(number),
      u32(bytes.length),
      u32(records.length),
      Buffer.alloc(12),
    ])
    parts.push(groupHead, u32(crc(groupHead, seed)), bytes)
  })
  return Buffer.concat(parts)
}

function recordByHand({ chain, start, time, count, segments }: ReturnType<typeof recordOf>, seed: number): Buffer {
  const lengths = segments.map((segment) => u32(segment?.length ?? 0xffffffff))
  const draws = Buffer.concat([...lengths, ...segments.flatMap((segment) => segment ?? [])])
  const sums: Buffer[] = []
  for (let at = 0; at < draws.length; at += 16384) sums.push(u32(crc(draws.subarray(at, at + 16384))))
  const head = Buffer.concat([u64(chain), u64(start), f64(time), u32(count), u32(draws.length), u32(0)])
  const sum = crc(Buffer.concat(sums), crc(head, seed))
  return Buffer.concat([head, u32(sum), ...sums, draws])
}

const FIRST = `${FOLDER}/00001.journal`

describe('the bytes of a journal', () => {
  const groups = [[recordOf(3, 24)], [recordOf(4, 40_000, 17), recordOf(7, 0)]]

  it('are those that another hand writes', async () => {
    const disk = new MemoryDisk()
    const journal = await newJournal({ disk })
    for (const group of groups) await Promise.all(group.map((record) => journal.append(record)))
    await journal.close()
    const written = Buffer.from(disk.files.get(FIRST) ?? [])
    const salt = written.readBigUInt64LE(40)
    expect(salt).not.toBe(0n)
    const expected = byHand({ sequence: 1, oldest: 1, previous: 0, previousEnd: 0, salt, groups: [...groups, []] })
    expect(written.toString('hex')).toBe(expected.toString('hex'))
  })

  it('are read from another hand, over two segments', async () => {
    const salt = 0x0123456789abcdefn
    const first = byHand({ sequence: 5, oldest: 5, previous: 4, previousEnd: 99, salt, groups })
    const lost = byHand({
      sequence: 6,
      oldest: 5,
      previous: 5,
      previousEnd: first.length,
      salt,
      groups: [[recordOf(8)]],
    })
    const last = byHand({
      sequence: 7,
      oldest: 5,
      previous: 5,
      previousEnd: first.length,
      salt,
      groups: [[recordOf(9)]],
    })
    const files = new Map([
      [`${FOLDER}/00003.journal`, Buffer.concat([first, Buffer.from('never acknowledged')])],
      [`${FOLDER}/00001.journal`, last],
      [`${FOLDER}/00002.journal`, lost],
    ])
    const disk = new MemoryDisk(files)
    expect(await attempt(disk)).toEqual([...groups.flat(), recordOf(9)].map(wordOf))
    const sealed = byHand({
      sequence: 7,
      oldest: 5,
      previous: 5,
      previousEnd: first.length,
      salt,
      groups: [[recordOf(9)], []],
    })
    expect(Buffer.from(disk.files.get(`${FOLDER}/00001.journal`) ?? []).toString('hex')).toBe(sealed.toString('hex'))
  })
})

it('of a later version are not written over', async () => {
  const disk = new MemoryDisk(new Map([[FIRST, Buffer.concat([Buffer.from('MCBJRNL2'), Buffer.alloc(200, 7)])]]))
  expect(String(await attempt(disk))).toContain('another format')
})

const count = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const large = fc.maxSafeNat()

describe('heads', () => {
  it('of segments come back, and no bit of them changes unseen', () => {
    const heads = fc.record({
      sequence: large,
      oldest: large,
      previous: large,
      previousEnd: large,
      salt: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    })
    fc.assert(
      fc.property(heads, fc.nat(SEGMENT_HEAD * 8 - 1), (head, bit) => {
        const bytes = segmentHeadOf(head)
        expect(segmentHeadIn(bytes)).toEqual(head)
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(segmentHeadIn(bytes)).toBeUndefined()
      }),
    )
  })

  it('of groups and records come back under their seed alone', () => {
    const heads = fc.record({
      chain: large,
      start: large,
      count,
      time: fc.double({ noNaN: true, noDefaultInfinity: true }),
      size: fc.nat(200_000),
    })
    fc.assert(
      fc.property(heads, count, count, count, (head, number, seed, other) => {
        fc.pre(seed !== other)
        const group = new Uint8Array(40)
        putGroupHead(group.subarray(8), { number, bytes: head.count, records: head.size }, seed)
        expect(groupHeadIn(group, 8, seed)).toEqual({ number, bytes: head.count, records: head.size })
        expect(groupHeadIn(group, 8, other)).toBeUndefined()
        const record = new Uint8Array(RECORD_HEAD + Math.ceil(head.size / 16384) * 4 + head.size).fill(7)
        putRecordHead(record, head)
        sealRecord(record, seed)
        expect(recordHeadIn(record, seed)).toEqual(head)
        expect(recordHeadIn(record, other)).toBeUndefined()
      }),
    )
  })

  it('of two segments that are equal but for their salt have different seeds', () => {
    const head = { sequence: 1, oldest: 1, previous: 0, previousEnd: 0 }
    expect(seedIn(segmentHeadOf({ ...head, salt: 1n }))).not.toBe(seedIn(segmentHeadOf({ ...head, salt: 2n })))
  })
})

it('names of segments come back, and other names are none', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), (slot) => {
      expect(slotIn(segmentName(slot))).toBe(slot)
    }),
  )
  for (const name of ['1.journal', '00001.journal.bak', '.journal', '0000x.journal', '00001'])
    expect(slotIn(name)).toBeUndefined()
})
