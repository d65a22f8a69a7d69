/** The comments behind the line of names: the adaptation (step size, inverse metric), and the time that the run took. */

/** Numbers of an inverse metric that are kept: what is told of a run has a bound. */
const MOST_ELEMENTS = 100_000
/** Phases whose time is kept, and characters of their names. */
const MOST_PHASES = 10
const MOST_NAME = 100

const STEP_SIZE = /^#\s*Step size = (\S+)\s*$/
const METRIC = /^#\s*(?:Diagonal elements|Elements) of inverse mass matrix:/
const SECONDS = /^#\s*(?:Elapsed Time:)?\s*(\S+) seconds \(([^)]*)\)/
/** Characters of a comment that may tell a step size or a time. */
const SHORT = 1000
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

export class Adaptation {
  /** True once "Adaptation terminated" was read. */
  isDone = false
  /** True once "Elapsed Time" was read, with which a file ends. */
  isTimed = false
  /** That of the draws, once it was read. */
  stepSize: number | undefined
  /** Seconds by phase, as they are written: "Warm-up", "Sampling", "Total". */
  readonly seconds = new Map<string, number>()
  private rows: number[][] = []
  private isInMetric = false
  private isTooLarge = false

  /** The diagonal, or the rows of a dense one; undefined where there is none, or it has too many elements. */
  get inverseMetric(): number[] | number[][] | undefined {
    const [first] = this.rows
    if (first === undefined || this.isTooLarge) return undefined
    return this.rows.length === 1 ? first : this.rows
  }

  note(comment: string): void {
    if (comment.includes('Adaptation terminated')) this.isDone = true
    else if (comment.includes('Elapsed Time')) {
      this.isTimed = true
      this.isInMetric = false
      this.noteSeconds(comment)
    } else if (this.isTimed) this.noteSeconds(comment)
    else if (this.isDone) this.noteAdaptation(comment)
  }

  private noteAdaptation(comment: string): void {
    if (this.isInMetric) {
      this.noteRow(comment)
      return
    }
    const stepSize = STEP_SIZE.exec(comment.slice(0, SHORT))?.[1]
    if (stepSize !== undefined) {
      const number = numberOf(stepSize)
      this.stepSize = number !== undefined && number > 0 ? number : undefined
    } else if (METRIC.test(comment.slice(0, SHORT))) this.isInMetric = true
  }

  private noteRow(comment: string): void {
    const row = numbersOf(comment)
    if (row === 'too many') this.isTooLarge = true
    else if (row === undefined) this.isInMetric = false
    else if (row.length * (this.rows.length + 1) > MOST_ELEMENTS) this.isTooLarge = true
    else if (!this.isTooLarge) this.rows.push(row)
    if (this.isTooLarge) this.rows = []
  }

  private noteSeconds(comment: string): void {
    const [, text, phase] = SECONDS.exec(comment.slice(0, SHORT)) ?? []
    const number = text === undefined ? undefined : numberOf(text)
    if (number === undefined || phase === undefined || number < 0 || this.seconds.size >= MOST_PHASES) return
    this.seconds.set(phase.slice(0, MOST_NAME), number)
  }
}

function numbersOf(comment: string): number[] | 'too many' | undefined {
  const text = comment.replace(/^#+/, '')
  const numbers: number[] = []
  for (let at = 0; at <= text.length; ) {
    const comma = text.indexOf(',', at)
    const end = comma < 0 ? text.length : comma
    const number = numberOf(text.slice(at, end).trim())
    if (number === undefined) return undefined
    if (numbers.length >= MOST_ELEMENTS) return 'too many'
    numbers.push(number)
    at = end + 1
  }
  return numbers
}

function numberOf(text: string): number | undefined {
  const number = NUMBER.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : undefined
}
