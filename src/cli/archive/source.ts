/** Bytes of an archive, from a file or from the standard input. */
import { type FileHandle, open } from 'node:fs/promises'
import { CliError } from '../cli-error.ts'

export interface Source {
  /** The next bytes: all of `target`, or fewer where there are no more. */
  read(target: Uint8Array): Promise<number>
  /** Bytes that are left; undefined where nobody knows. */
  readonly left: number | undefined
  close(): Promise<void>
}

export class FileSource implements Source {
  private readonly handle: FileHandle
  private readonly size: number
  private position = 0

  private constructor(handle: FileHandle, size: number) {
    this.handle = handle
    this.size = size
  }

  /** @throws CliError when it cannot be read */
  static async open(path: string): Promise<FileSource> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      throw new CliError(`${path} cannot be read (${error.code ?? error.message})`)
    })
    const { size } = await handle.stat()
    return new FileSource(handle, size)
  }

  get left(): number {
    return this.size - this.position
  }

  async read(target: Uint8Array): Promise<number> {
    let got = 0
    while (got < target.length) {
      const { bytesRead } = await this.handle.read(target, got, target.length - got, this.position)
      if (bytesRead === 0) break
      got += bytesRead
      this.position += bytesRead
    }
    return got
  }

  close(): Promise<void> {
    return this.handle.close()
  }
}

export class StreamSource implements Source {
  readonly left = undefined
  private readonly chunks: AsyncIterator<Uint8Array>
  private rest: Uint8Array = new Uint8Array()

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.chunks = stream[Symbol.asyncIterator]()
  }

  async read(target: Uint8Array): Promise<number> {
    let got = 0
    while (got < target.length) {
      if (this.rest.length === 0) {
        const { done, value } = await this.chunks.next()
        if (done) break
        this.rest = value
      }
      const part = this.rest.subarray(0, target.length - got)
      target.set(part, got)
      this.rest = this.rest.subarray(part.length)
      got += part.length
    }
    return got
  }

  async close(): Promise<void> {
    await this.chunks.return?.()
  }
}
