/**
 * The free space of the data's disk: below a threshold, what makes the data grow is refused before SQLite must, so that
 * there is room left for reading, deleting and putting in order.
 */
import type { BigIntStatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { McbError } from '../core/errors.ts'

const MIB = 1024 * 1024
/** Milliseconds between two looks at the disk: the requests between them go by the last one. */
const LOOK_MS = 1000
/** Seconds after which a client had better ask again: somebody has to make room meanwhile. */
const RETRY_AFTER = 10

/** Bytes of a disk. */
export interface Space {
  /** Bytes that this process may still write. */
  readonly free: number
  readonly total: number
}

export interface DiskOptions {
  readonly folder: string
  /** Bytes that stay free; 0 for no threshold. */
  readonly leastFree: number
}

export class FreeDisk {
  private readonly folder: string
  readonly leastFree: number
  private seen: Space | undefined
  private timer: NodeJS.Timeout | undefined

  private constructor({ folder, leastFree }: DiskOptions) {
    this.folder = folder
    this.leastFree = leastFree
  }

  /** Takes the first look, so that it is known from the first request on; the next ones come by a timer. */
  static async watch(options: DiskOptions): Promise<FreeDisk> {
    const disk = new FreeDisk(options)
    await disk.look()
    return disk
  }

  /** The space as it was seen last; undefined where it cannot be seen. */
  get space(): Space | undefined {
    return this.seen
  }

  /** @throws McbError `storage_unavailable` */
  readonly requireSpace = (): void => {
    const { seen, leastFree } = this
    if (seen === undefined || seen.free >= leastFree) return
    const free = Math.floor(seen.free / MIB)
    throw new McbError(
      'storage_unavailable',
      `the disk of the storage has ${free} MiB free, less than the ${leastFree / MIB} MiB that writes leave; delete runs, or let the operator make room. Reading and deleting go on`,
      { retryAfter: RETRY_AFTER },
    )
  }

  private async look(): Promise<void> {
    try {
      const { bavail, blocks, bsize }: BigIntStatsFs = await statfs(this.folder, { bigint: true })
      this.seen = { free: Number(bavail * bsize), total: Number(blocks * bsize) }
    } catch {
      // The folder itself is not there, or its disk does not answer: the storage will say so.
      this.seen = undefined
    }
    this.timer = setTimeout(() => void this.look(), LOOK_MS).unref()
  }

  /** Ends the looks. */
  close(): void {
    clearTimeout(this.timer)
  }
}

/**
 * Bytes that stay free, as MCB_MIN_FREE_MIB says.
 *
 * @throws Error with one sentence that says what to set
 */
export function leastFreeOf(setting: string | undefined): number {
  const mib = setting === undefined || setting === '' ? 1024 : Number(setting)
  if (Number.isInteger(mib) && mib >= 0 && mib <= 1_000_000_000) return mib * MIB
  throw new Error(`MCB_MIN_FREE_MIB must be a whole number of MiB, 0 for no threshold, not "${setting}"`)
}
