/**
 * Copies objects into a backup: only what it does not have.
 *
 * Bytes that an index names never change, and an object grows at its end. So what the copy before names is kept where the
 * rows are still the same, and what a backup that was cut off has left is kept where its checksums fit. A server that was
 * restored may have gone another way since; then its object becomes another file.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sumOf } from '../../objects/checksum.ts'
import { objectFile } from '../../objects/file-objects.ts'
import { type Extent, type NamedObject, readExtent } from './extents.ts'
import { type WrittenFiles, writeAllSync } from './files.ts'
import { type ObjectEntry, objectPath } from './manifest.ts'

export interface ObjectCopyOptions {
  /** Folder of the objects that are copied. */
  readonly source: string
  /** Folder of the backup. */
  readonly target: string
  /** Objects of the copy before. */
  readonly before: Readonly<Record<string, ObjectEntry>>
  /** Bytes of each file that copies name: none of these is ever written. */
  readonly named: ReadonlyMap<string, number>
  readonly written: WrittenFiles
}

export interface CopiedObject {
  readonly entry: ObjectEntry
  readonly copied: number
  readonly kept: number
  /** Bytes that are not what was written, or are not there. */
  readonly damaged: 'missing' | 'damaged' | undefined
}

interface Kept {
  readonly variant: number
  readonly bytes: number
  readonly sum: number
}

/** Copies an object, as far as the index names it. */
export async function copyObject(object: NamedObject, options: ObjectCopyOptions): Promise<CopiedObject> {
  const { extents, key } = object
  const rows = rowsSums(extents)
  const end = endOf(extents.at(-1))
  const kept = keptOf(object, rows, options)
  const entry = (size: number, sum: number, variant: number): ObjectEntry => [size, sum, rows.at(-1) ?? 0, variant]
  if (kept.bytes === end) return { entry: entry(end, kept.sum, kept.variant), copied: 0, kept: end, damaged: undefined }
  const source = join(options.source, objectFile(key))
  if (!existsSync(source))
    return { entry: entry(kept.bytes, kept.sum, kept.variant), copied: 0, kept: 0, damaged: 'missing' }
  const { size, sum, isIntact } = await append(source, extents, kept, key, options)
  const damaged = isIntact && size === end ? undefined : 'damaged'
  return { entry: entry(size, sum, kept.variant), copied: size - kept.bytes, kept: kept.bytes, damaged }
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? 0 : extent.at + extent.size
}

/** The checksum of the rows up to each one. */
function rowsSums(extents: readonly Extent[]): number[] {
  let sum = 0
  return extents.map(({ at, size, sums }) => {
    sum = sumOf(sums, sumOf(`${at} ${size} `, sum))
    return sum
  })
}

/** The bytes at the beginning of an object that the backup has already, and the file that has them or will. */
function keptOf({ key, extents }: NamedObject, rows: readonly number[], options: ObjectCopyOptions): Kept {
  const [size, sum, rowsSum, variant] = options.before[key] ?? [0, 0, 0, 0]
  const path = objectPath(key, variant)
  const bytes = statSync(join(options.target, path), { throwIfNoEntry: false })?.size ?? 0
  const last = size === 0 ? -1 : extents.findIndex((extent) => endOf(extent) === size)
  const isSame = last >= 0 && rows[last] === rowsSum && bytes >= size
  const same: Kept = isSame ? { variant, bytes: size, sum } : { variant, bytes: 0, sum: 0 }
  const kept = withIntact(join(options.target, path), bytes, extents, same)
  if (kept.bytes === endOf(extents.at(-1)) || (options.named.get(path) ?? 0) <= kept.bytes) return kept
  let next = variant + 1
  while (options.named.has(objectPath(key, next))) next++
  return { variant: next, bytes: 0, sum: 0 }
}

/** The kept bytes, and those behind them whose checksums fit. */
function withIntact(path: string, bytes: number, extents: readonly Extent[], kept: Kept): Kept {
  if (bytes <= kept.bytes) return kept
  const fd = openSync(path, 'r')
  try {
    let { bytes: end, sum } = kept
    for (const extent of extents) {
      if (extent.at < end) continue
      let next = sum
      const take = (piece: Uint8Array) => {
        next = sumOf(piece, next)
      }
      if (extent.at !== end || endOf(extent) > bytes || !readExtent(fd, extent, take)) break
      end = endOf(extent)
      sum = next
    }
    return { ...kept, bytes: end, sum }
  } finally {
    closeSync(fd)
  }
}

interface Appended {
  readonly size: number
  readonly sum: number
  readonly isIntact: boolean
}

async function append(
  source: string,
  extents: readonly Extent[],
  kept: Kept,
  key: string,
  { target, written }: ObjectCopyOptions,
): Promise<Appended> {
  const path = join(target, objectPath(key, kept.variant))
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const from = openSync(source, 'r')
  const { O_CREAT, O_RDWR, O_TRUNC } = constants
  const to = openSync(path, O_RDWR | O_CREAT | (kept.bytes === 0 ? O_TRUNC : 0), 0o600)
  let { bytes: size, sum } = kept
  let isIntact = true
  try {
    for (const extent of extents) {
      if (extent.at < size) continue
      const whole = readExtent(from, extent, (piece, at) => {
        writeAllSync(to, piece, at)
        sum = sumOf(piece, sum)
        size = at + piece.length
      })
      if (!whole) isIntact = false
      if (size !== endOf(extent)) break
    }
  } finally {
    closeSync(from)
    await written.add(to, dirname(path))
  }
  return { size, sum, isIntact }
}
