/**
 * Programs: storage logic that runs on every SQLite, be it in this process or behind a network.
 *
 * A program is a generator. It yields statements to read, receives their rows, and ends with at most one set of writes.
 * A driver that owns a connection runs it inside a transaction. One that cannot hold a transaction open (D1) sends the
 * writes as one batch behind their guard, which fails when what the program has read is no longer so, and runs the
 * program again.
 */

export type Param = string | number | null | Uint8Array
export type Cell = string | number | null | Uint8Array<ArrayBuffer>
export interface Row {
  readonly [column: string]: Cell
}

/** Columns that hold bytes; every other one holds numbers or text. */
export const BYTE_COLUMNS: readonly string[] = ['data', 'sums']

export interface Statement {
  readonly sql: string
  /** The same for a database whose columns of bytes hold base64, where that makes a difference. */
  readonly base64Sql?: string
  readonly params: readonly Param[]
  /** Looks at each row as soon as it is read, while its bytes are in the processor's cache; an error from it ends the program. */
  readonly look?: (row: Row) => void
}

export interface Reads {
  readonly reads: readonly Statement[]
}

export interface Writes {
  /** Fails (a NOT NULL constraint) unless the rows that the program has read are still the same. */
  readonly guard?: Statement
  readonly writes: readonly Statement[]
}

export type Program<T> = Generator<Reads | Writes, T, readonly (readonly Row[])[]>

/** Runs a program on a database that answers at once, which `all` reads and `write` writes. */
export function runAtOnce<T>(
  program: Program<T>,
  all: (statement: Statement) => readonly Row[],
  write: (statements: readonly Statement[]) => void,
): T {
  let next = program.next([])
  while (!next.done) {
    const { value } = next
    if ('reads' in value) next = program.next(value.reads.map(all))
    else {
      write(value.writes)
      next = program.next([])
    }
  }
  return next.value
}

export interface SqlDriver {
  /** True where other processes may write to the database. */
  readonly isShared: boolean
  /**
   * Runs a program atomically; it resolves when its writes are durable. A failure of the database itself rejects with
   * McbError `storage_unavailable`. `bytes` is what it is about to write, for a driver that runs several at once.
   */
  run<T>(program: () => Program<T>, bytes?: number): Promise<T>
}

/** Thrown when two reads of a program do not fit together, since the database moved on between them: run it again. */
export class StaleRead extends Error {
  override readonly name = 'StaleRead'
}

export function numberIn(row: Row, column: string): number {
  const cell = row[column]
  if (typeof cell !== 'number') throw new Error(`column ${column} holds no number`)
  return cell
}

export function textIn(row: Row, column: string): string {
  const cell = row[column]
  if (typeof cell !== 'string') throw new Error(`column ${column} holds no text`)
  return cell
}

export function bytesIn(row: Row, column: string): Uint8Array<ArrayBuffer> {
  const cell = row[column]
  if (!(cell instanceof Uint8Array)) throw new Error(`column ${column} holds no bytes`)
  // better-sqlite3 gives Buffers, whose `slice` is no copy.
  return new Uint8Array(cell.buffer, cell.byteOffset, cell.byteLength)
}
