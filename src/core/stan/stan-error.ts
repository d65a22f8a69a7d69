/** Faults of a text that should be a CSV file of Stan. */

/** A fault in a file; the lines before its own are sound. */
export class StanError extends Error {
  override readonly name = 'StanError'
  /** The line, counted from 1; 0 where a fault is the whole file's. */
  readonly line: number
  /** True where the text is larger than what is taken. */
  readonly isTooLarge: boolean

  constructor(problem: string, line = 0, size: 'sound' | 'too large' = 'sound') {
    super(problem)
    this.line = line
    this.isTooLarge = size === 'too large'
  }

  /** The same fault, in a line. */
  at(line: number): StanError {
    return this.line > 0 ? this : new StanError(this.message, line, this.isTooLarge ? 'too large' : 'sound')
  }
}

const SHOWN_CHARACTERS = 100

/** A text of the file as messages show it: in quotes, on one line, and not too long. */
export function shown(text: string): string {
  return JSON.stringify(text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`)
}
