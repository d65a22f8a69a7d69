/** The standard output, and the standard error beside it. */
import { once } from 'node:events'
import { shownLines } from './terminal.ts'

/** Prints, as fast as the reader takes it. At a terminal, text of others does not steer it. */
export async function printed(text: string): Promise<void> {
  if (text === '') return
  const isTaken = process.stdout.write(process.stdout.isTTY ? shownLines(text) : text)
  if (!isTaken) await once(process.stdout, 'drain')
}

/** Writes bytes as they are, and resolves when nobody needs them any more. */
export function written(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

/** Ends the process quietly where nobody reads on, as `head` does not. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

/** Milliseconds between two lines of progress. */
const EVERY = 200

/** A line on the standard error that is written over and over; nothing where that is no terminal. */
export class Progress {
  private last = 0
  private isShown = false

  tell(line: () => string): void {
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.last < EVERY) return
    this.last = now
    this.isShown = true
    process.stderr.write(`\r\u001b[2K${line()}`)
  }

  end(): void {
    if (this.isShown) process.stderr.write('\r\u001b[2K')
    this.isShown = false
  }
}

/** Ends the process at Ctrl-C with a sentence, as a signal ends it otherwise (128 + SIGINT). The result takes that back. */
export function interruptible(sentence: string): () => void {
  const onInterrupt = () => {
    process.stderr.write(`${process.stderr.isTTY ? '\r\u001b[2K' : ''}mcb: ${sentence}\n`)
    process.exit(130)
  }
  process.once('SIGINT', onInterrupt)
  return () => process.off('SIGINT', onInterrupt)
}
