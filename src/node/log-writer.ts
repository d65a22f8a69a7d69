/** Lines to the standard output, which may be read slowly, or by nobody any more: neither holds the server up. */
import { destination } from 'pino'

const MIB = 1024 * 1024
/** Bytes of lines about requests that wait at most; beyond them lines are left out, and counted. */
const WAITING_REQUESTS = 1 * MIB
/** Bytes that wait at most in all: changes of keys and failures still find room when requests do not. */
const WAITING = 4 * MIB
/** Milliseconds and bytes that are gathered, so that a busy server does not write for each request. */
const GATHER_MS = 100
const GATHER_BYTES = 4096
/** Milliseconds that the end of the server waits for a reader. */
const END_MS = 1000

export type LineKind = 'request' | 'other'

export class LogWriter {
  /** True when the process ends: the last lines are then written only as far as a reader takes them at once. */
  private ending = false
  private readonly output: ReturnType<typeof destination>
  private timer: NodeJS.Timeout | undefined
  private isRead = true
  private waiting = 0
  private readonly leftOut = { request: 0, other: 0 }
  private readonly tell: (leftOut: Readonly<Record<LineKind, number>>) => void

  /** `tell` says how many lines were left out, once there is room for it. */
  constructor(tell: (leftOut: Readonly<Record<LineKind, number>>) => void) {
    this.tell = tell
    // Before the library's own listener, which writes what is left, and would wait for a reader that never comes.
    process.once('exit', () => {
      this.ending = true
    })
    const retryEAGAIN = () => !this.ending
    this.output = destination({ dest: 1, sync: false, minLength: GATHER_BYTES, retryEAGAIN })
    // Its first use lets writes to a pipe that is full fail instead of wait. Its reader may go away: the server stays.
    process.stdout.on('error', () => undefined)
    this.output.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') this.isRead = false
    })
    this.output.on('write', (bytes: number) => {
      this.waiting = Math.max(0, this.waiting - bytes)
      this.tellLeftOut()
    })
  }

  /** @param line ends with a line break */
  write(line: string, kind: LineKind): void {
    if (!this.isRead) return
    const bytes = Buffer.byteLength(line)
    // Also for a line that is left out: a disk that was full takes the others when it has room again.
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS)
    if (this.waiting + bytes > (kind === 'request' ? WAITING_REQUESTS : WAITING)) {
      this.leftOut[kind]++
      return
    }
    this.waiting += bytes
    this.output.write(line)
  }

  flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.waiting > 0) this.output.flush()
  }

  /** Resolves when everything is written, or when it is clear that nobody takes it. */
  async end(): Promise<void> {
    clearTimeout(this.timer)
    if (!this.isRead) return
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      new Promise((resolve) => {
        this.output.once('close', resolve)
        this.output.once('error', resolve)
        this.output.end()
      }),
      new Promise((resolve) => {
        timer = setTimeout(resolve, END_MS)
      }),
    ])
    clearTimeout(timer)
    // Lines that are not written yet never will be.
    this.isRead = false
    this.output.destroy()
  }

  private tellLeftOut(): void {
    const { request, other } = this.leftOut
    if (request + other === 0 || this.waiting > WAITING_REQUESTS / 2) return
    this.leftOut.request = 0
    this.leftOut.other = 0
    this.tell({ request, other })
  }
}
