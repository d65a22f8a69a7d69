/** One chain: its chunks lie without a gap up to where the journal goes on, and all that they say is so. */
import type Database from 'better-sqlite3'
import { type ChainRow, TAIL_SLOTS } from '../../backends/sqlite/chain.ts'
import { tailSum, textSum } from '../../backends/sqlite/checksum.ts'
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import type { ChunkRow, ChunkRows } from './chunk-rows.ts'
import type { Damage } from './findings.ts'
import type { JournalDraws } from './journal-draws.ts'

/** Damage of a chain whose name is known elsewhere. */
export type ChainDamage = Omit<Damage, 'tenant' | 'rid' | 'chain'>

export interface ChainFindings {
  /** Iterations that are there, damaged or not. */
  readonly length: number
  readonly damages: readonly ChainDamage[]
  readonly soundTo: number
}

interface TailRow {
  readonly start: number
  readonly count: number
  readonly data: Buffer
  readonly sum: number | null
}

export interface Surroundings {
  readonly database: Database.Database
  readonly rows: ChunkRows
  /** Undefined where the journal cannot be read. */
  readonly journal: JournalDraws | undefined
  /** Iterations of a chain that must be there. */
  readonly leastOf: (chain: ChainRow) => number
}

/** Verifies a chain of a run with this schema; undefined where its metadata cannot be read. */
export async function checkChain(
  chain: ChainRow,
  isRowIntact: boolean,
  schema: Schema | undefined,
  surroundings: Surroundings,
): Promise<ChainFindings> {
  const check = new ChainCheck(chain, surroundings)
  if (!isRowIntact) check.damages.push({ what: 'its row in the index is damaged' })
  await check.chunks(schema)
  check.levels()
  if (chain.tailRows > 0) check.tail()
  else check.journal()
  return { length: check.length, damages: check.damages, soundTo: Math.min(check.soundTo, check.length) }
}

class ChainCheck {
  readonly damages: ChainDamage[] = []
  soundTo = Number.POSITIVE_INFINITY
  length: number
  private readonly chain: ChainRow
  private readonly surroundings: Surroundings
  private byColumn = new Map<number, ChunkRow[]>()

  constructor(chain: ChainRow, surroundings: Surroundings) {
    this.chain = chain
    this.length = chain.folded
    this.surroundings = surroundings
  }

  async chunks(schema: Schema | undefined): Promise<void> {
    this.byColumn = this.surroundings.rows.of(this.chain.id)
    const columns = schema?.columns.map(({ index }) => index) ?? [...this.byColumn.keys()]
    for (const column of columns) {
      const spec = schema?.columns[column]
      await this.column(this.byColumn.get(column) ?? [], spec, spec?.name ?? `column ${column}`)
    }
    const strange = [...this.byColumn.keys()].find((column) => !columns.includes(column))
    if (strange !== undefined)
      this.damages.push({ what: `there are chunks of column ${strange}, which the run has not` })
  }

  /** The last chunks that are still small, as the next fold will find them. */
  levels(): void {
    const row = this.surroundings.database
      .prepare<[number], { levels: string; sum: number | null }>('SELECT levels, sum FROM levels WHERE chain_id = ?')
      .get(this.chain.id)
    if (row === undefined) return
    const isIntact = row.sum === null || row.sum === textSum(this.chain.id, row.levels)
    if (!isIntact || !this.areLevels(parsed(row.levels))) {
      this.damages.push({ what: 'the list of its small chunks is not what was written' })
    }
  }

  /** A tail that a version before has left in the index. */
  tail(): void {
    const { id, tailRows, length, folded } = this.chain
    const rows = this.surroundings.database
      .prepare<[number, number], TailRow>(
        'SELECT start, count, data, sum FROM tail WHERE id >= ? AND id < ? ORDER BY id',
      )
      .all(id * TAIL_SLOTS, (id + 1) * TAIL_SLOTS)
    if (rows.length !== tailRows) this.damages.push({ what: `its tail has ${rows.length} rows of ${tailRows}` })
    let next = folded
    for (const { start, count, data, sum } of rows) {
      if (start !== next) this.damage({ what: 'draws are missing in the tail', from: Math.min(next, start), to: start })
      next = start + count
      const isIntact = sum === null || sum === tailSum(start, count, new Uint8Array(data))
      if (sum === null) this.surroundings.rows.unsummed++
      else this.surroundings.rows.bytes += data.length
      if (!isIntact) this.damage({ what: 'a row of the tail is damaged', from: start, to: next })
    }
    if (next < length) this.damage({ what: 'draws are missing in the tail', from: next, to: length })
    this.length = Math.max(length, next)
  }

  journal(): void {
    const { journal, leastOf } = this.surroundings
    const { id, folded } = this.chain
    let next = folded
    for (const [from, to] of journal?.stretches.get(id) ?? []) {
      if (to <= next) continue
      if (from > next) this.damage({ what: 'draws are missing in the journal', from: next, to: from })
      next = to
    }
    for (const [from, to] of journal?.damaged.get(id) ?? []) {
      if (to > folded) this.damage({ what: 'a record of the journal is damaged', from, to })
    }
    const least = leastOf(this.chain)
    if (next < least) {
      const why =
        journal === undefined ? 'the journal, which cannot be read, has these draws' : 'the journal lacks these draws'
      this.damage({ what: why, from: next, to: least })
    }
    this.length = Math.max(next, least)
  }

  private async column(rows: readonly ChunkRow[], spec: ColumnSpec | undefined, variable: string): Promise<void> {
    const { folded } = this.chain
    let next = 0
    for (const parts of Map.groupBy(rows, ({ start }) => start).values()) {
      const [first] = parts
      if (first === undefined) continue
      const { start, count } = first
      if (start > next) this.damage({ what: 'draws are missing in the index', variable, from: next, to: start })
      if (start < next) this.damage({ what: 'chunks lie upon each other', variable, from: start, to: next })
      await this.parts(parts, spec, variable)
      next = Math.max(next, start + count)
    }
    if (next < folded) this.damage({ what: 'draws are missing in the index', variable, from: next, to: folded })
    if (next > folded) this.damage({ what: 'the index has chunks behind the end', variable, from: folded, to: next })
  }

  /** The rows of one chunk: several where a draw is larger than a row. */
  private async parts(rows: readonly ChunkRow[], spec: ColumnSpec | undefined, variable: string): Promise<void> {
    for (const [i, row] of rows.entries()) {
      const { part, start, count } = row
      const range = { variable, from: start, to: start + count }
      if (part !== i || count !== rows[0]?.count) this.damage({ what: 'a part of a large draw is missing', ...range })
      const wrong = await this.surroundings.rows.wrongIn(this.chain.id, row, spec)
      if (wrong !== undefined) this.damage({ ...wrong, variable })
    }
  }

  private areLevels(levels: unknown): boolean {
    if (!Array.isArray(levels)) return false
    return levels.every((own: unknown, column) => {
      if (!Array.isArray(own)) return false
      const rows = (this.byColumn.get(column) ?? []).slice(own.length === 0 ? Number.POSITIVE_INFINITY : -own.length)
      return own.every((level: unknown, i) => {
        if (!Array.isArray(level)) return false
        const row = rows[i]
        return row !== undefined && level[0] === row.count && level[1] === (row.length ?? -1)
      })
    })
  }

  private damage(damage: ChainDamage & { readonly from: number }): void {
    this.damages.push(damage)
    this.soundTo = Math.min(this.soundTo, damage.from)
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
