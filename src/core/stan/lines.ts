/** Bytes that come in pieces, as lines. */
import { StanError } from './stan-error.ts'

type Bytes = Uint8Array

/** Bytes of a line at most: a million numbers with all their digits take 24 MB. */
export const MOST_LINE = 64 * 1024 * 1024
const FIRST_ROOM = 4096
const NEWLINE = 0x0a

/** Keeps the beginning of a line until its end has come. */
export class Lines {
  private rest: Uint8Array<ArrayBuffer> = new Uint8Array()
  private used = 0
  private readonly room: (bytes: number) => void

  /** @param room told how many bytes are held, before they are; it throws where there is no room for them */
  constructor(room: (bytes: number) => void) {
    this.room = room
  }

  /** Bytes of the line whose end has not come. */
  get unfinished(): number {
    return this.used
  }

  /**
   * The lines that end in a piece, without their ends. Each is to be looked at before the next one is asked for.
   *
   * @throws StanError for a line that is too long
   */
  *of(piece: Bytes): Generator<Bytes> {
    let at = 0
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, at)) {
      if (this.used === 0) yield piece.subarray(at, end)
      else {
        this.keep(piece.subarray(at, end))
        const line = this.rest.subarray(0, this.used)
        this.used = 0
        yield line
        this.shrink()
      }
      at = end + 1
    }
    this.keep(piece.subarray(at))
  }

  private keep(bytes: Bytes): void {
    const length = this.used + bytes.length
    if (length > MOST_LINE) {
      throw new StanError(`the line has more than ${MOST_LINE / 1024 / 1024} MiB`, 0, 'too large')
    }
    if (length > this.rest.length) {
      const size = Math.min(MOST_LINE, Math.max(FIRST_ROOM, 2 * this.rest.length, length))
      this.room(size)
      this.rest = new Uint8Array(this.rest.buffer.transfer(size))
    }
    this.rest.set(bytes, this.used)
    this.used = length
  }

  private shrink(): void {
    if (this.rest.length <= FIRST_ROOM) return
    this.rest = new Uint8Array()
    this.room(0)
  }
}
