/**
 * A CSV file of the Stan family, read while it is written: comments with the settings, a line of column names, warmup draws if
 * they were saved, comments with the adaptation, draws, comments with the timing.
 *
 * https://mc-stan.org/docs/cmdstan-guide/stan_csv_apdx.html
 */
import type { Steps } from '../turn.ts'
import { Adaptation } from './adaptation.ts'
import { readCells } from './cells.ts'
import { type ColumnGroup, groupColumns, isStat } from './columns.ts'
import { Lines } from './lines.ts'
import { lookAtNames, type NamesFacts, namesIn } from './names-line.ts'
import { mostRowsOf, type Plan, rowsOf } from './plan.ts'
import { Settings } from './settings.ts'
import { StanError } from './stan-error.ts'

type Bytes = Uint8Array

/** Bytes of rows that are kept until it is known whether they are warmup. */
const MOST_HELD = 1024 * 1024
/** Columns of which the mean of an approximation is kept. */
const MOST_MEANS = 6000
const MOST_WHOLE = 2 ** 53

const HASH = 0x23
const MARK = [0xef, 0xbb, 0xbf]
/** First bytes of compressed files, and the program that unpacks them. */
const PACKED: readonly (readonly [bytes: readonly number[], program: string])[] = [
  [[0x1f, 0x8b], 'gunzip, or send Content-Encoding: gzip'],
  [[0x42, 0x5a, 0x68], 'bunzip2'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'unxz'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'unzstd'],
  [[0x50, 0x4b, 0x03, 0x04], 'unzip'],
]

export interface FileBounds {
  /** Variables and stats at most. */
  readonly columns: number
  /** Bytes of one draw at most. */
  readonly drawBytes: number
  /** Told how many bytes of the text are held beyond a piece, before they are; throws where there is no room. */
  readonly room: (bytes: number) => void
}

/** The variables and sampler stats of a file; each in the order of their columns. */
export interface FileColumns {
  readonly draws: readonly ColumnGroup[]
  readonly stats: readonly ColumnGroup[]
  /** Columns of the file. */
  readonly count: number
}

/** Takes one draw: its values in the order of the columns, which it looks at at once. */
export type TakeRow = (values: Float64Array<ArrayBuffer>, isWarmup: boolean) => void

export class CsvFile {
  readonly settings = new Settings()
  readonly adaptation = new Adaptation()
  /** Absent until the line of names was read. */
  columns: FileColumns | undefined
  /** The rows that the file will hold, once that is known. */
  plan: Plan | undefined
  /** Draws that were read. */
  rows = 0
  /** Mean of a variational approximation by column. */
  mean: ReadonlyMap<string, number> | undefined
  private readonly warmup: number | undefined
  private readonly bounds: FileBounds
  private readonly takeRow: TakeRow
  private readonly lines: Lines
  private line = 0
  private names: NamesFacts | undefined
  private keptNames: readonly string[] = []
  private values = new Float64Array()
  /** Rows of which it is not known yet whether they are warmup, the first one's line, and their bytes. */
  private held: Bytes[] = []
  private heldLine = 0
  private heldBytes = 0
  private lineBytes = 0
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  /** @param warmup number of rows that are warmup, for files that do not tell it */
  constructor(takeRow: TakeRow, bounds: FileBounds, warmup?: number) {
    this.takeRow = takeRow
    this.bounds = bounds
    this.warmup = warmup
    this.lines = new Lines((bytes) => {
      this.lineBytes = bytes
      this.tellRoom()
    })
  }

  /** True once the file has ended as its settings tell. */
  get isComplete(): boolean {
    if (this.plan === undefined || this.held.length > 0) return false
    return this.plan.hasTiming === true ? this.adaptation.isTimed : this.rows === rowsOf(this.plan)
  }

  /** True where the last line has no end: it is not looked at. */
  get isCutOff(): boolean {
    return this.lines.unfinished > 0
  }

  /**
   * Reads further bytes. A line that is not finished waits for its end.
   *
   * @throws StanError with its line, where one makes no sense; the draws before it were given already
   */
  *add(piece: Bytes): Steps<void> {
    if (this.line === 0 && this.lines.unfinished === 0) checkPacked(piece)
    try {
      for (const bytes of this.lines.of(piece)) {
        this.line++
        yield* this.read(bytes)
      }
    } catch (error) {
      if (!(error instanceof StanError)) throw error
      throw error.at(error.isTooLarge && this.lines.unfinished > 0 ? this.line + 1 : this.line)
    }
  }

  private *read(bytes: Bytes): Steps<void> {
    const line = this.line === 1 ? withoutMark(bytes) : bytes
    const isComment = line[0] === HASH
    if (!isComment && isBlank(line)) return
    if (isComment) yield* this.comment(this.decoder.decode(withoutReturn(line)))
    else if (this.columns === undefined) yield* this.header(this.decoder.decode(withoutReturn(line)))
    else yield* this.row(line)
  }

  // -- comments and names

  private *comment(line: string): Steps<void> {
    if (this.columns === undefined) {
      this.settings.note(line)
      this.settings.checkMethod()
      return
    }
    if (line.includes('Adaptation terminated')) {
      yield* this.decide('adaptive')
      const { plan } = this
      if (plan !== undefined && this.rows !== plan.warmup) {
        throw new StanError(`adaptation ends after ${this.rows} draws of warmup, not ${plan.warmup}`)
      }
    } else if (line.includes('Elapsed Time') && !this.adaptation.isTimed) {
      yield* this.decide('fixed')
      this.checkRows()
    }
    this.adaptation.note(line)
  }

  private checkRows(): void {
    const rows = this.plan === undefined ? undefined : rowsOf(this.plan)
    if (this.plan === undefined || rows === undefined) return
    if (this.rows >= rows && this.rows <= (mostRowsOf(this.plan) ?? rows)) return
    throw new StanError(`there are ${this.rows} draws, not ${rows}`)
  }

  private *header(line: string): Steps<void> {
    const { settings, bounds } = this
    settings.translate()
    const names = namesIn(line)
    const facts = lookAtNames(line, names, settings.method === undefined ? 'plain' : 'stan')
    const plan = settings.plan(settings.isFixed ? 'fixed' : 'adaptive', this.warmup)
    const groups = yield* groupColumns(names, bounds.columns)
    const values = facts.count * Float64Array.BYTES_PER_ELEMENT
    if (values > bounds.drawBytes) {
      const detail = `a draw of ${facts.count} columns has ${values} bytes, the limit is ${bounds.drawBytes}`
      throw new StanError(detail, 0, 'too large')
    }
    this.names = facts
    if (plan.hasMean === true && facts.count <= MOST_MEANS) this.keptNames = [...names()]
    this.columns = {
      stats: groups.filter(({ name }) => isStat(name)),
      draws: groups.filter(({ name }) => !isStat(name)),
      count: facts.count,
    }
    this.values = new Float64Array(facts.count)
    // A model without parameters is run with fixed ones, whatever its settings say (before CmdStan 2.37).
    const isUndecided = plan.method === 'sample' && (plan.warmup > 0 || plan.mustAdapt === true) && !facts.hasHmc
    if (!isUndecided) this.plan = plan
  }

  // -- rows

  private *row(line: Bytes): Steps<void> {
    const { plan } = this
    if (plan === undefined) {
      yield* this.hold(line)
      return
    }
    if (this.adaptation.isTimed) throw new StanError('a draw comes after the timing')
    yield* this.cells(line)
    if (plan.hasMean === true && this.mean === undefined) {
      this.mean = this.meanOf(this.values)
      return
    }
    this.requirePlace(plan)
    this.checkStats()
    this.takeRow(this.values, this.rows < plan.warmup)
    this.rows++
  }

  private *cells(line: Bytes): Steps<void> {
    try {
      yield* readCells(line, this.values)
    } catch (error) {
      if (!(error instanceof StanError) || !this.isNamesAgain(line)) throw error
      throw new StanError('the column names come again: a second run is appended to the first')
    }
  }

  private isNamesAgain(line: Bytes): boolean {
    const first = this.names?.first ?? ''
    const beginning = this.decoder.decode(line.subarray(0, 4 * first.length + 4)).trim()
    return beginning === first || beginning.startsWith(`${first},`) || beginning.startsWith(`"${first}"`)
  }

  private meanOf(values: Float64Array): ReadonlyMap<string, number> {
    const entries = this.keptNames.map((name, i) => [name, values[i] ?? Number.NaN] as const)
    this.keptNames = []
    return new Map(entries.filter(([name]) => !isStat(name)))
  }

  /** Makes sure that another draw may stand here. */
  private requirePlace(plan: Plan): void {
    if (plan.mustAdapt === true && !this.adaptation.isDone && this.rows >= plan.warmup) {
      throw new StanError('draws begin without the adaptation before them (step size and metric are missing)')
    }
    const most = mostRowsOf(plan)
    if (most !== undefined && this.rows >= most) {
      throw new StanError(`there are more draws than the ${most} that its settings tell`)
    }
  }

  /** Makes sure that stats which are whole numbers or flags are. */
  private checkStats(): void {
    for (const { name, dtype, columns } of this.columns?.stats ?? []) {
      if (dtype === 'float64') continue
      for (const column of columns) {
        const value = this.values[column] ?? Number.NaN
        if (Number.isInteger(value) && Math.abs(value) < MOST_WHOLE) continue
        throw new StanError(`${name} is ${value}, not a whole number`)
      }
    }
  }

  /** Keeps a row until the adaptation comes, or so many rows that it cannot come any more. */
  private *hold(line: Bytes): Steps<void> {
    if (this.held.length === 0) this.heldLine = this.line
    this.heldBytes += line.length
    if (this.heldBytes > MOST_HELD) {
      throw new StanError(
        `nothing tells within ${MOST_HELD / 1024 / 1024} MiB of draws whether they are warmup: there is neither a column of the ` +
          'sampler nor an adaptation',
      )
    }
    this.tellRoom()
    this.held.push(line.slice())
    if (this.held.length > this.settings.plan('adaptive').warmup) yield* this.decide('fixed')
  }

  /** Settles which rows are warmup where the settings leave it open, and gives those that were held back. */
  private *decide(sampler: 'fixed' | 'adaptive'): Steps<void> {
    if (this.plan !== undefined) return
    this.plan = this.settings.plan(sampler)
    const { held, line } = this
    this.held = []
    this.line = this.heldLine
    for (const row of held) {
      yield* this.row(row)
      this.line++
    }
    this.line = line
    this.heldBytes = 0
    this.tellRoom()
  }

  private tellRoom(): void {
    this.bounds.room(this.lineBytes + this.heldBytes)
  }
}

function checkPacked(piece: Bytes): void {
  for (const [mark, program] of PACKED) {
    if (mark.every((byte, i) => piece[i] === byte)) {
      throw new StanError(`this file is compressed: unpack it first, as with ${program}`, 1)
    }
  }
}

function withoutMark(line: Bytes): Bytes {
  const isWide = (line[0] === 0xff && line[1] === 0xfe) || (line[0] === 0xfe && line[1] === 0xff)
  if (isWide || line.subarray(0, 100).includes(0)) {
    throw new StanError("this is no text in UTF-8 (PowerShell's > writes UTF-16): write it as UTF-8", 1)
  }
  return MARK.every((byte, i) => line[i] === byte) ? line.subarray(MARK.length) : line
}

function withoutReturn(line: Bytes): Bytes {
  let end = line.length
  while (end > 0 && line[end - 1] === 0x0d) end--
  return line.subarray(0, end)
}

/** True for a line of nothing but spaces. */
function isBlank(line: Bytes): boolean {
  for (const byte of line) if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false
  return true
}
