/**
 * The free space of the data's disk: below a threshold, what makes the data grow is refused before SQLite must, so that
 * there is room left for reading, deleting and putting in order.
 *
 * A deletion makes no file smaller: its pages are written again. So they count as free, as long as the disk itself has
 * room for the write-ahead log.
 */
import { statfs } from 'node:fs/promises'
import { McbError } from '../core/errors.ts'

const MIB = 1024 * 1024
/** Milliseconds between two looks at the disk: the requests between them go by the last one. */
const LOOK_MS = 1000
/** Part of the threshold, one in so many, that the disk itself must have free: a log takes 128 MiB for a while. */
const OF_THE_DISK = 4
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
  /** Asks for the bytes of the database that deletions have left for new data. */
  readonly reusable?: (() => Promise<number>) | undefined
}

export class FreeDisk {
  readonly leastFree: number
  /** The space as it was seen last; undefined where it cannot be seen. */
  space: Space | undefined
  /** Bytes within the database that new data will take first. */
  reusable = 0
  private readonly folder: string
  private readonly askReusable: () => Promise<number>
  private isAsking = false

  private constructor({ folder, leastFree, reusable = async () => 0 }: DiskOptions) {
    this.folder = folder
    this.leastFree = leastFree
    this.askReusable = reusable
  }

  /** Takes the first look, so that it is known from the first request on; the next ones come by a timer. */
  static async watch(options: DiskOptions): Promise<FreeDisk> {
    const disk = new FreeDisk(options)
    await Promise.all([disk.lookAtDisk(), disk.lookAtDatabase()])
    disk.lookAgain()
    return disk
  }

  /** @throws McbError `storage_unavailable` */
  readonly requireSpace = (): void => {
    const { space, reusable, leastFree } = this
    if (space === undefined || space.free >= leastFree) return
    if (space.free >= leastFree / OF_THE_DISK && space.free + reusable >= leastFree) return
    const detail =
      `the disk of the storage has ${mib(space.free)} MiB free, less than the ${mib(leastFree)} MiB that writes must leave; ` +
      'delete runs, or let the operator make room. Reading and deleting go on'
    throw new McbError('storage_unavailable', detail, { retryAfter: RETRY_AFTER })
  }

  private lookAgain(): void {
    setTimeout(async () => {
      // A storage that does not answer keeps nobody from seeing the disk.
      void this.lookAtDatabase()
      await this.lookAtDisk()
      this.lookAgain()
    }, LOOK_MS).unref()
  }

  private async lookAtDisk(): Promise<void> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.folder, { bigint: true })
      this.space = { free: Number(bavail * bsize), total: Number(blocks * bsize) }
    } catch {
      // The folder is gone, or its disk fails: the storage will say so.
      this.space = undefined
    }
  }

  private async lookAtDatabase(): Promise<void> {
    if (this.isAsking) return
    this.isAsking = true
    try {
      this.reusable = await this.askReusable()
    } catch {
      this.reusable = 0
    } finally {
      this.isAsking = false
    }
  }
}

function mib(bytes: number): number {
  return Math.floor(bytes / MIB)
}

/**
 * Bytes that stay free, as MCB_MIN_FREE_MIB says.
 *
 * @throws Error with one sentence that says what to set
 */
export function leastFreeOf(setting: string | undefined): number {
  const given = setting === undefined || setting === '' ? 1024 : Number(setting)
  if (Number.isInteger(given) && given >= 0 && given <= 1_000_000_000) return given * MIB
  throw new Error(`MCB_MIN_FREE_MIB must be a whole number of MiB, 0 for no threshold, not "${setting}"`)
}
