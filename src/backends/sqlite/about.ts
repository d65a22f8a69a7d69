/** Programs for names, tags, notes and facts of runs. */
import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import { tagTerm } from '../../core/finding.ts'
import type { AboutChange, StoredAbout } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { numberIn, type Program, type Row, textIn } from '../../sql/program.ts'
import { requireFound, runIsThere } from './chain.ts'
import { DamagedData, textSum } from './checksum.ts'
import { lineIn, readShown, writeShown } from './run-list.ts'
import { LINES_SQL } from './runs.ts'
import { insertTerms } from './terms.ts'

const DOCUMENT_SQL =
  "SELECT revision, coalesce(document, '') AS document, sum FROM runs LEFT JOIN about ON run_id = id WHERE id = ? AND deleted = 0"

/** @throws McbError `run_not_found` */
export function* aboutOf(runId: number): Program<StoredAbout> {
  const [documents, lines] = yield {
    reads: [
      { sql: DOCUMENT_SQL, params: [runId] },
      { sql: LINES_SQL('SELECT id FROM runs WHERE id = ? AND deleted = 0'), params: [runId] },
    ],
  }
  const row = found(documents)
  const [revision, document] = [numberIn(row, 'revision'), textIn(row, 'document')]
  const isThere = revision === 0 || document !== ''
  if (!isThere || (row.sum !== null && row.sum !== textSum(runId, document))) {
    throw new DamagedData(`what the index has of names, notes and facts of run ${runId}`)
  }
  return {
    revision,
    document,
    line: lineIn(found(lines)),
  }
}

/** @throws McbError `run_not_found` */
export function* changeAbout(runId: number, { revision, document, shown }: AboutChange): Program<boolean> {
  const [runs] = yield {
    reads: [{ sql: 'SELECT revision, shown, tenant FROM runs WHERE id = ? AND deleted = 0', params: [runId] }],
  }
  const run = found(runs)
  if (numberIn(run, 'revision') !== revision) return false
  const former = readShown(textIn(run, 'shown')).tags
  const bytes = ROW_BYTES + new TextEncoder().encode(document).length
  yield {
    guard: {
      sql: 'INSERT INTO chains (id) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM runs WHERE id = ? AND revision = ? AND deleted = 0)',
      params: [runId, revision],
    },
    writes: [
      {
        sql: 'DELETE FROM terms WHERE run_id = ? AND term IN (SELECT value FROM json_each(?))',
        params: [runId, JSON.stringify(former.map(tagTerm))],
      },
      ...insertTerms(
        { sql: 'SELECT ? AS id, ? AS tenant', params: [runId, textIn(run, 'tenant')] },
        shown.tags.map(tagTerm),
      ),
      {
        sql:
          'INSERT INTO about (run_id, document, sum) VALUES (?, ?, ?) ' +
          'ON CONFLICT (run_id) DO UPDATE SET document = excluded.document, sum = excluded.sum',
        params: [runId, document, textSum(runId, document)],
      },
      {
        sql:
          'UPDATE runs SET revision = revision + 1, shown = ?, folded = ?, archived = ?, finished = ?, expected = ?, ' +
          'about_bytes = ? WHERE id = ?',
        params: [
          writeShown(shown),
          shown.folded,
          shown.archived ? 1 : 0,
          shown.finished ? 1 : 0,
          shown.expected,
          bytes,
          runId,
        ],
      },
    ],
  }
  return true
}

/** See `Store.setDiagnostics`. @throws McbError `run_not_found` */
export function* changeDiagnostics(runId: number, diagnostics: RunDiagnostics): Program<void> {
  const [rows] = yield { reads: [runIsThere(runId)] }
  requireFound(rows)
  // Times of one form are in the order of their texts.
  const sql =
    'UPDATE runs SET diagnostics = ? WHERE id = ? AND deleted = 0 ' +
    "AND (diagnostics IS NULL OR json_extract(diagnostics, '$.at') <= ?)"
  yield { writes: [{ sql, params: [JSON.stringify(diagnostics), runId, diagnostics.at] }] }
}

function found(rows: readonly Row[] | undefined): Row {
  requireFound(rows)
  const row = rows?.[0]
  if (row === undefined) throw new Error('a query of a run gave no answer')
  return row
}
