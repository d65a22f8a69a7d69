/** Parts of objects that an index names: each with its checksums. */
import type Database from 'better-sqlite3'
import { objectKey } from '../../backends/folder/fold-chain.ts'
import { BLOCK_BYTES, firstDamaged, SUM_BYTES } from '../../objects/checksum.ts'
import type { Bytes } from '../../objects/objects.ts'
import { PIECE_BYTES, piecesOf } from './files.ts'

export interface Extent {
  readonly at: number
  readonly size: number
  readonly sums: Bytes
}

export interface NamedObject {
  readonly key: string
  readonly chain: number
  readonly run: number
  /** In the order of the bytes. */
  readonly extents: readonly Extent[]
}

interface ExtentRow {
  readonly object: number
  readonly at: number
  readonly size: number
  readonly sums: Buffer
}

/** All objects that an index names. */
export function* objectsNamedBy(database: Database.Database): Generator<NamedObject> {
  const chains = database
    .prepare<[], { id: number; run: number }>('SELECT id, run_id AS run FROM chains WHERE object > 0 AND number >= 0')
    .all()
  const rows = database.prepare<[number], ExtentRow>(
    'SELECT object, at, size, sums FROM chunks WHERE chain_id = ? AND object IS NOT NULL ORDER BY object, at',
  )
  for (const { id, run } of chains) {
    for (const [object, extents] of Map.groupBy(rows.all(id), (row) => row.object)) {
      yield { key: objectKey(id, object), chain: id, run, extents: extents.map(extentOf) }
    }
  }
}

function extentOf({ at, size, sums }: ExtentRow): Extent {
  return { at, size, sums: new Uint8Array(sums) }
}

/** The part of an extent's checksums for a piece of it. */
export function sumsFor(sums: Bytes, piece: number): Bytes {
  const each = (PIECE_BYTES / BLOCK_BYTES) * SUM_BYTES
  return sums.subarray(piece * each, (piece + 1) * each)
}

/**
 * Reads an extent piece by piece; false where a part is not what was written, or missing.
 *
 * @param take is given each piece, damaged or not
 */
export function readExtent(fd: number, { at, size, sums }: Extent, take: (piece: Bytes, at: number) => void): boolean {
  let [isIntact, done, piece] = [true, 0, 0]
  for (const bytes of piecesOf(fd, at, at + size)) {
    if (firstDamaged(bytes, sumsFor(sums, piece)) >= 0) isIntact = false
    take(bytes, at + done)
    done += bytes.length
    piece++
  }
  return isIntact && done === size
}
