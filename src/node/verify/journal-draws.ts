/** Draws in a journal: which iterations of each chain it has, and which of them are damaged. */
import { verifiedRecord } from '../../backends/folder/journal-reader.ts'
import type { FoundRecord } from '../../journal/replay.ts'
import type { Disk } from '../../objects/disk.ts'
import { type ReadSegment, readJournal } from '../backup/live-journal.ts'

/** Iterations, the second one excluded. */
export type Range = readonly [from: number, to: number]

export interface JournalDraws {
  /** Stretches without a gap, in the order of the journal, by the id of the chain. */
  readonly stretches: ReadonlyMap<number, readonly Range[]>
  readonly damaged: ReadonlyMap<number, readonly Range[]>
  readonly bytes: number
}

/** @throws DamagedJournal */
export async function drawsOfJournal(disk: Disk, folder: string): Promise<JournalDraws> {
  let found = new Found()
  await readJournal(disk, folder, () => {
    found = new Found()
    return (segment) => found.add(segment)
  })
  return found
}

class Found implements JournalDraws {
  readonly stretches = new Map<number, [number, number][]>()
  readonly damaged = new Map<number, Range[]>()
  bytes = 0

  add(segment: ReadSegment): void {
    for (const record of segment.groups.records) {
      this.addStretch(record)
      if (!isIntact(segment, record)) {
        const { chain, start, count } = record
        this.damaged.set(chain, [...(this.damaged.get(chain) ?? []), [start, start + count]])
      }
      this.bytes += record.bytes
    }
  }

  private addStretch({ chain, start, count }: FoundRecord): void {
    const stretches = this.stretches.get(chain) ?? []
    const last = stretches.at(-1)
    if (last?.[1] === start) last[1] = start + count
    else stretches.push([start, start + count])
    this.stretches.set(chain, stretches)
  }
}

function isIntact({ bytes, groups }: ReadSegment, { chain, at, bytes: size, ...record }: FoundRecord): boolean {
  const { seed } = groups
  return verifiedRecord(chain, { ...record, seed }, bytes.subarray(at, at + size)).isIntact
}
