/** Looks for damage that would let a run or a chain vanish, or lists say wrong numbers: what lists show is not verified. */
import type Database from 'better-sqlite3'
import { ALL_CHAINS_SQL, chainAsFound, isChainIntact } from '../../backends/sqlite/chain.ts'
import type { Row } from '../../sql/program.ts'

/** Tables that say what there is, and whose indices are looked at. Missing draws are found by who reads them. */
const TABLES = ['runs', 'chains']
/** Sentences of one kind at most. */
const MOST = 10

/** Damage that was found, in a sentence each. */
export function damageIn(database: Database.Database): string[] {
  return [...TABLES.flatMap((table) => pagesOf(database, table)), ...rowsOf(database)]
}

/** https://www.sqlite.org/pragma.html#pragma_integrity_check */
function pagesOf(database: Database.Database, table: string): string[] {
  return database
    .prepare<[], { integrity_check: string }>(`PRAGMA integrity_check(${table})`)
    .all()
    .filter(({ integrity_check }) => integrity_check !== 'ok')
    .slice(0, MOST)
    .map(({ integrity_check }) => `the index is damaged: ${integrity_check}`)
}

function rowsOf(database: Database.Database): string[] {
  const sentences: string[] = []
  for (const row of database.prepare<[], Row>(ALL_CHAINS_SQL).iterate()) {
    const chain = chainAsFound(row)
    if (!isChainIntact(row, chain)) {
      sentences.push(`the index is damaged: the row of chain ${chain.number} of run ${chain.runId}`)
    }
    if (sentences.length === MOST) break
  }
  return sentences
}
