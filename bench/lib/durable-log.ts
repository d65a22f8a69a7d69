/** The durable log: the strongest simple store of bodies, with which appends are compared. */
import { close, fdatasync, openSync, rmSync, writev } from 'node:fs'
import { join } from 'node:path'
import { free } from '../../src/core/free.ts'

/** Bytes after which a new file begins, and the one before goes, so that no disk fills. */
const FILE_BYTES = 512 * 1024 * 1024
/** Buffers of one `writev` at most: Linux takes no more. */
const MOST_TOGETHER = 1024

interface Waiting {
  readonly body: Uint8Array<ArrayBuffer>
  readonly stored: () => void
  readonly failed: (error: Error) => void
}

interface LogFile {
  readonly path: string
  readonly fd: number
  length: number
}

/**
 * Appends bodies to one file. All that wait share one `writev` and one `fdatasync`, while the next ones gather; a body is
 * stored when its sync has ended. It has no index and no checksums, and nothing is read back.
 */
export class DurableLog {
  private readonly folder: string
  private waiting: Waiting[] = []
  private file: LogFile | undefined
  private isWriting = false
  private files = 0

  /** @param folder place of its files, which are made when they are needed */
  constructor(folder: string) {
    this.folder = folder
  }

  /** Stores a body, which is empty afterwards: left to the collector, bodies cost a fifth of the rate. */
  append(body: Uint8Array<ArrayBuffer>): Promise<void> {
    return new Promise((stored, failed) => {
      this.waiting.push({ body, stored, failed })
      if (!this.isWriting) this.writeNext()
    })
  }

  /** Callbacks all the way: promises of files cost a tenth of the rate of small bodies. */
  private writeNext(): void {
    const group = this.waiting.splice(0, MOST_TOGETHER)
    this.isWriting = group.length > 0
    if (!this.isWriting) return
    const end = (error: Error | null) => {
      for (const { body, stored, failed } of group) {
        free(body)
        if (error === null) stored()
        else failed(error)
      }
      this.writeNext()
    }
    const bodies = group.map(({ body }) => body)
    const bytes = bodies.reduce((sum, { length }) => sum + length, 0)
    const file = this.currentFile()
    writev(file.fd, bodies, null, (error, written) => {
      file.length += written
      if (error !== null) end(error)
      else if (written < bytes) end(new Error(`only ${written} of ${bytes} bytes were written`))
      else fdatasync(file.fd, end)
    })
  }

  private currentFile(): LogFile {
    if (this.file !== undefined && this.file.length < FILE_BYTES) return this.file
    if (this.file !== undefined) {
      rmSync(this.file.path)
      close(this.file.fd)
    }
    const path = join(this.folder, `durable-log-${this.files++}`)
    this.file = { path, fd: openSync(path, 'ax'), length: 0 }
    return this.file
  }
}
