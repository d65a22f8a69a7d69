/** Archives of which every byte is decided by names and contents: no clock, no user and no order of a folder is in them. */
import { gzipSync } from 'node:zlib'

/** Contents by path. */
export type Files = ReadonlyMap<string, Uint8Array>

const BLOCK = 512
/** Bytes of a path in the header of a ustar archive. */
const LONGEST_PATH = 100
/** 1980-01-01 UTC, in seconds: the earliest time that all formats of archives have, some of which users may make of this one. */
const TIME = 315_532_800
const MODE = 0o644
/** Place in gzip's header of the system that has packed, and its word for an unknown one (RFC 1952). */
const SYSTEM = { at: 9, unknown: 255 }

/** A gzipped tar, in the order of the paths. @throws Error for a path that its format cannot hold */
export function tarGz(files: Files): Buffer {
  const names = [...files.keys()].sort()
  const entries = names.flatMap((name) => entryOf(name, files.get(name) ?? new Uint8Array()))
  const packed = gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]), { level: 9 })
  packed[SYSTEM.at] = SYSTEM.unknown
  return packed
}

function entryOf(path: string, bytes: Uint8Array): readonly Uint8Array[] {
  const header = Buffer.alloc(BLOCK)
  const { length } = Buffer.from(path)
  if (length > LONGEST_PATH)
    throw new Error(`${path} has ${length} bytes; a path in the archive has at most ${LONGEST_PATH}`)
  const octal = (value: number, at: number, digits: number) => header.write(value.toString(8).padStart(digits, '0'), at)
  header.write(path, 0)
  octal(MODE, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(bytes.length, 124, 11)
  octal(TIME, 136, 11)
  // The checksum counts itself as blanks.
  header.fill(' ', 148, 156)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  octal(sum, 148, 6)
  header.write('\0 ', 154)
  return [header, bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]
}
