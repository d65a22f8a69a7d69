/** Terms by which runs are found, and the runs of versions before that have none yet. */
import { McbError } from '../../core/errors.ts'
import { attributeTerms } from '../../core/finding.ts'
import { concatBytes } from '../../core/wire/protobuf.ts'
import { decodeRunMeta } from '../../core/wire/run-meta.ts'
import { bytesIn, numberIn, type Param, type Program, type Statement } from '../../sql/program.ts'

/** Characters of terms that one statement inserts. */
const TERMS_CHARACTERS = 500_000

/**
 * Statements that insert the terms of a run.
 *
 * @param run a query of the run's id and tenant; of no row for a run that is not there
 */
export function insertTerms(
  run: { readonly sql: string; readonly params: readonly Param[] },
  terms: readonly string[],
  table = 'terms',
): Statement[] {
  const sql =
    `INSERT OR IGNORE INTO ${table} (run_id, tenant, term) ` +
    `SELECT r.id, r.tenant, j.value FROM (${run.sql}) r CROSS JOIN json_each(?) j`
  return inParts(terms).map((part) => ({ sql, params: [...run.params, JSON.stringify(part)] }))
}

function inParts(terms: readonly string[]): string[][] {
  const parts: string[][] = []
  let characters = TERMS_CHARACTERS
  for (const term of terms) {
    if (characters + term.length > TERMS_CHARACTERS) {
      parts.push([])
      characters = 0
    }
    parts.at(-1)?.push(term)
    characters += term.length
  }
  return parts
}

/** Damaged metadata have none: they are told of when the run is read, and keep no other run from being found. */
function termsIn(meta: Uint8Array<ArrayBuffer>): string[] {
  try {
    return attributeTerms(decodeRunMeta(meta))
  } catch (error) {
    if (error instanceof McbError) return []
    throw error
  }
}

/** Runs that one call of `indexSome` looks at. */
const RUNS_TOGETHER = 16

/**
 * Indexes the attributes of some runs that a version before has registered.
 *
 * @returns the id behind which to go on; undefined when all are indexed
 */
export function* indexSome(behind: number): Program<number | undefined> {
  const [found = []] = yield {
    reads: [
      {
        sql: `SELECT id FROM runs WHERE id > ? AND indexed = 0 AND deleted = 0 ORDER BY id LIMIT ${RUNS_TOGETHER}`,
        params: [behind],
      },
    ],
  }
  const ids = found.map((row) => numberIn(row, 'id'))
  const last = ids.at(-1)
  if (last === undefined) return undefined
  const metas = yield {
    reads: ids.map((id) => ({ sql: 'SELECT data FROM run_meta WHERE run_id = ? ORDER BY part', params: [id] })),
  }
  const writes = ids.flatMap((id, i) => {
    const terms = termsIn(concatBytes((metas[i] ?? []).map((part) => bytesIn(part, 'data'))))
    return [
      ...insertTerms({ sql: 'SELECT id, tenant FROM runs WHERE id = ? AND deleted = 0', params: [id] }, terms),
      { sql: 'UPDATE runs SET indexed = 1 WHERE id = ?', params: [id] },
    ]
  })
  yield { writes }
  return last
}
