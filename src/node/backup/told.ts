/** Words of the programs about backups, for people. */

/** Ends the process with one sentence that says what to do. */
export function fail(sentence: string): never {
  console.error(`mcbackend-edge: ${sentence}.`)
  process.exit(1)
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

export interface Progress {
  say(sentence: string): void
  /** Takes the line away. */
  end(): void
}

/** Milliseconds between two lines of progress. */
const EVERY_MS = 200

/** One line that is written over; nothing where no terminal shows it. */
export function progressOn(stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write' | 'columns'>): Progress {
  let said = 0
  return {
    say(sentence) {
      const now = performance.now()
      if (!stream.isTTY || now - said < EVERY_MS) return
      said = now
      stream.write(`\r\u001b[K${sentence.slice(0, (stream.columns ?? 80) - 1)}`)
    },
    end() {
      if (stream.isTTY && said > 0) stream.write('\r\u001b[K')
    },
  }
}
