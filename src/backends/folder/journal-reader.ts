/** Records of a journal that another thread writes: read again for folding. */

import type { Bytes } from '../../core/draws/segment.ts'
import { partsOf, recordHeadIn } from '../../journal/format.ts'
import { segmentName } from '../../journal/segment.ts'
import { firstDamaged } from '../../objects/checksum.ts'
import { type Disk, type DiskFile, readAllNow } from '../../objects/disk.ts'
import { unavailable } from '../../objects/unavailable.ts'
import { unwritten } from '../../objects/warm.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import { fragmentsIn, type Tail } from '../sqlite/fold.ts'
import { type FoldJob, RECORD_NUMBERS } from './index-calls.ts'

interface ReadRecord {
  readonly slot: number
  readonly sequence: number
  readonly seed: number
  readonly at: number
  readonly bytes: number
  readonly start: number
  readonly count: number
}

export class JournalReader {
  private readonly disk: Disk
  private readonly folder: string
  /** Files by slot, with those that are being opened: several folds may ask for one at once. */
  private readonly files = new Map<number, { readonly sequence: number; readonly file: Promise<DiskFile> }>()

  constructor(disk: Disk, folder: string) {
    this.disk = disk
    this.folder = folder
  }

  /** The tail that the records of a job are. A damaged one is carried over as what it is. */
  async tailOf(job: FoldJob, columns: number): Promise<Tail> {
    const records = [...recordsIn(job.records)]
    const files = new Map<number, DiskFile>()
    try {
      for (const { slot, sequence } of records) if (!files.has(slot)) files.set(slot, await this.open(slot, sequence))
    } catch (error) {
      throw unavailable(error)
    }
    const scratch: Bytes[] = []
    const batches = records.map((record) => {
      const bytes = unwritten(record.bytes)
      scratch.push(bytes)
      const { draws, isIntact } = read(job.id, record, files.get(record.slot), bytes)
      return fragmentsIn(draws, record.count, columns, isIntact)
    })
    return { batches, scratch, bytes: 0, removal: [] }
  }

  async close(): Promise<void> {
    for (const slot of [...this.files.keys()]) await this.forget(slot)
  }

  /** A file that is used again may be another one of the same name. */
  private open(slot: number, sequence: number): Promise<DiskFile> {
    const known = this.files.get(slot)
    if (known?.sequence === sequence) return known.file
    void this.forget(slot)
    const file = this.disk.open(`${this.folder}/${segmentName(slot)}`, 'read')
    this.files.set(slot, { sequence, file })
    // The next fold tries again.
    file.catch(() => this.files.delete(slot))
    return file
  }

  private async forget(slot: number): Promise<void> {
    const known = this.files.get(slot)
    this.files.delete(slot)
    await known?.file.then((file) => file.close()).catch(() => undefined)
  }
}

function read(
  chain: number,
  record: ReadRecord,
  file: DiskFile | undefined,
  bytes: Bytes,
): { readonly draws: Bytes; readonly isIntact: boolean } {
  return verifiedRecord(chain, record, file === undefined ? NOTHING : readNow(file, bytes, record.at))
}

const NOTHING: Bytes = new Uint8Array()

function readNow(file: DiskFile, bytes: Bytes, at: number): Bytes {
  try {
    return bytes.subarray(0, readAllNow(file, bytes, at))
  } catch (error) {
    throw unavailable(error)
  }
}

/** The draws of a record, as they were found. @throws DamagedData where its head is not what was written */
export function verifiedRecord(
  chain: number,
  { seed, start, count }: Pick<ReadRecord, 'seed' | 'start' | 'count'>,
  bytes: Bytes,
): { readonly draws: Bytes; readonly isIntact: boolean } {
  const head = recordHeadIn(bytes, seed)
  if (head?.chain !== chain || head.start !== start || head.count !== count) {
    throw new DamagedData(`the batch in the journal that begins at iteration ${start}`)
  }
  const { draws, sums } = partsOf(bytes, head.size)
  return { draws, isIntact: firstDamaged(draws, sums) < 0 }
}

function* recordsIn(numbers: Float64Array): Generator<ReadRecord> {
  for (let i = 0; i < numbers.length; i += RECORD_NUMBERS) {
    const [slot = 0, sequence = 0, seed = 0, at = 0, bytes = 0, start = 0, count = 0] = numbers.subarray(
      i,
      i + RECORD_NUMBERS,
    )
    yield { slot, sequence, seed, at, bytes, start, count }
  }
}
