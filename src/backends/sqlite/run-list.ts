/** A page of the list of runs, newest first: from the tables of runs, or from the catalogue of run objects. */
import type { RunSummary } from '../../core/interfaces.ts'
import { numberIn, type Program, type Row, textIn } from '../../sql/program.ts'

export interface ListRequest {
  readonly tenant: string
  readonly limit: number
  /** `next` of the page before; absent for the first. */
  readonly before?: string | undefined
  /** Id of the one run that is wanted. */
  readonly rid?: string | undefined
}

export interface ListPage {
  readonly runs: RunSummary[]
  readonly next?: string
}

/**
 * The runs behind `before`.
 *
 * @param sql a query of the columns that `summaryIn` reads, and `id`. Its parameters are those of the condition that it is
 *   made with, and then the number of rows
 */
export function* pageOfRuns(
  { tenant, limit, before, rid }: ListRequest,
  sql: (where: string) => string,
): Program<ListPage> {
  const bound = before === undefined ? Number.MAX_SAFE_INTEGER : Number(before)
  const only = rid === undefined ? [] : [rid]
  const where = `tenant = ? AND id < ?${rid === undefined ? '' : ' AND rid = ?'}`
  const [rows = []] = yield { reads: [{ sql: sql(where), params: [tenant, bound, ...only, limit + 1] }] }
  const runs = rows.slice(0, limit).map(summaryIn)
  const last = rows[limit - 1]
  return rows.length > limit && last !== undefined ? { runs, next: String(numberIn(last, 'id')) } : { runs }
}

function summaryIn(row: Row): RunSummary {
  return {
    rid: textIn(row, 'rid'),
    createdAt: new Date(numberIn(row, 'created_at')),
    updatedAt: new Date(numberIn(row, 'updated_at')),
    variables: numberIn(row, 'variables'),
    sampleStats: numberIn(row, 'sample_stats'),
    chains: numberIn(row, 'chains'),
    draws: numberIn(row, 'draws'),
  }
}
