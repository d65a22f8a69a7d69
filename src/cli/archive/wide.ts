/**
 * Stats of which one draw is large. A stat that a batch left out reads as its fill, of any size: a draw of a few bytes may
 * have an answer that no server takes back, or none that a server gives. Such stats are read alone, and left out again.
 */
import { byQueryLength, queryOfColumns } from '../../client/query.ts'
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import { fillSegment } from '../../core/draws/segment.ts'
import { isMcbError } from '../../core/errors.ts'
import { concatBytes, equalBytes } from '../../core/wire/protobuf.ts'
import { encodeSegments } from '../../core/wire/write-batch.ts'

type Bytes = Uint8Array<ArrayBuffer>
/** Gives the batch of the columns that a query names. */
type Read = (names: string) => Promise<Bytes>

/** Bytes of a draw beyond which a stat is read alone. */
const WIDE_BYTES = 4 * 1024 * 1024
/** Bytes of an empty string in an answer. */
const STRING_BYTES = 2

export class WideStats {
  private readonly schema: Schema
  private readonly wide: readonly ColumnSpec[]
  /** Stats of which no draw was ever sent: each exceeds an answer, and so a body. */
  private readonly never = new Set<ColumnSpec>()

  constructor(schema: Schema) {
    this.schema = schema
    this.wide = [...schema.stats.values()].filter((spec) => {
      if (spec.layout === 'ragged') return false
      return (spec.kind === 'rigid-numbers' ? spec.stride : spec.elements * STRING_BYTES) > WIDE_BYTES
    })
  }

  get areAny(): boolean {
    return this.wide.length > 0
  }

  /** The batch of one draw, from answers to several queries: messages that follow each other are one message. */
  async draw(start: number, read: Read): Promise<Bytes> {
    const parts: Bytes[] = [encodeSegments(start, 1, [])]
    for (const columns of byQueryLength(this.schema.columns.filter((spec) => !this.wide.includes(spec)))) {
      parts.push(await read(queryOfColumns(columns).parameters.join('&')))
    }
    for (const spec of this.wide) {
      const stat = await this.stat(spec, start, read)
      if (stat !== undefined) parts.push(stat)
    }
    return concatBytes(parts)
  }

  /** A stat of one draw; undefined where it is its fill, which is what an absent one is. */
  private async stat(spec: ColumnSpec, start: number, read: Read): Promise<Bytes | undefined> {
    if (this.never.has(spec)) return undefined
    try {
      const bytes = await read(queryOfColumns([spec]).parameters.join('&'))
      const fill = encodeSegments(start, 1, [{ spec, data: fillSegment(spec, 1) }])
      return equalBytes(bytes, fill) ? undefined : bytes
    } catch (error) {
      if (!isMcbError(error, 'payload_too_large')) throw error
      this.never.add(spec)
      return undefined
    }
  }
}
