/** Bytes of an archive (docs/archive.md): a head, and records that each carry a sum of all that stands before it. */
import { crc32 } from 'node:zlib'

/** The first byte has its high bit set, and a line's end follows: what was taken for text on its way is told at once. */
export const MAGIC = Uint8Array.of(0x89, 0x4d, 0x43, 0x42, 0x0d, 0x0a, 0x1a, 0x0a)
export const VERSION = 1

/** Bytes of the archive's head, of a record's head, and of the sum behind each of them and behind a payload. */
export const HEAD_BYTES = 12
export const RECORD_BYTES = 12
export const SUM_BYTES = 4

/** Bytes of a payload at most: an answer of a server has no more. */
export const MAX_PAYLOAD = 1024 * 1024 * 1024

export const KIND = { origin: 1, metadata: 2, about: 3, draws: 4, end: 5 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

const NAMES: Readonly<Record<number, string>> = {
  [KIND.origin]: 'the origin',
  [KIND.metadata]: 'the metadata',
  [KIND.about]: 'name and notes',
  [KIND.end]: 'the end',
}

export interface RecordHead {
  readonly kind: number
  /** Number of the chain; 0 in a record that is of none. */
  readonly chain: number
  /** Bytes of the payload. */
  readonly length: number
}

/** A record as messages name it. */
export function nameOf({ kind, chain }: RecordHead): string {
  return kind === KIND.draws ? `draws of chain ${chain}` : (NAMES[kind] ?? `kind ${kind}`)
}

/** The CRC-32 of some bytes behind those that have the sum `before`. */
export function sumOf(bytes: Uint8Array, before: number): number {
  return crc32(bytes, before)
}

/** Head of the archive with its sum. */
export function archiveHead(): { readonly bytes: Uint8Array; readonly sum: number } {
  const bytes = new Uint8Array(HEAD_BYTES + SUM_BYTES)
  bytes.set(MAGIC)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, VERSION, true)
  const sum = sumOf(bytes.subarray(0, HEAD_BYTES), 0)
  view.setUint32(HEAD_BYTES, sum, true)
  return { bytes, sum }
}

/** A record's head with its sum. */
export function recordHead({ kind, chain, length }: RecordHead, before: number) {
  const bytes = new Uint8Array(RECORD_BYTES + SUM_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, kind, true)
  view.setUint32(4, chain, true)
  view.setUint32(8, length, true)
  const sum = sumOf(bytes.subarray(0, RECORD_BYTES), before)
  view.setUint32(RECORD_BYTES, sum, true)
  return { bytes, sum }
}

export function sumBytes(sum: number): Uint8Array {
  const bytes = new Uint8Array(SUM_BYTES)
  new DataView(bytes.buffer).setUint32(0, sum, true)
  return bytes
}
