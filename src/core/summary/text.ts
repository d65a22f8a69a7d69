/** A summary as JSON and as CSV. */
import { type JsonObject, type JsonValue, jsonText } from '../json.ts'
import { Pace, type Steps } from '../turn.ts'
import { ROWS_PER_TURN } from './rows-per-turn.ts'
import type { Summary, SummaryRow } from './summary.ts'

export function summaryJson(summary: Summary): JsonObject {
  const { columns, rows, nextCursor } = summary
  return {
    ...head(summary),
    rows: rows.map((row) => rowJson(row, columns)),
    ...(nextCursor !== undefined && { nextCursor }),
  }
}

/** The text of a summary's JSON, row by row; stops every now and then. */
export function* summaryText(summary: Summary): Steps<string> {
  const { columns, rows, nextCursor } = summary
  const pace = new Pace(ROWS_PER_TURN)
  const texts: string[] = []
  for (const row of rows) {
    texts.push(jsonText(rowJson(row, columns)))
    if (pace.isDue(1)) yield
  }
  const next = nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`
  return `${jsonText(head(summary)).slice(0, -1)},"rows":[${texts.join()}]${next}}`
}

/** All but the rows, and what is behind them. */
function head(summary: Summary): JsonObject {
  const { columns, chains, leftOut, progress } = summary
  const { rid, registration, convention, ci, warmup, complete, draws } = summary
  return {
    ...{ rid, registration, convention, ci: { kind: ci.kind, prob: ci.prob }, warmup, complete },
    ...(progress !== undefined && { progress }),
    chains: chains.map((part) => ({ chain: part.chain, draws: part.draws, warmup: part.warmup })),
    leftOut: leftOut.map((each) => ({ ...each })),
    draws,
    columns,
  }
}

function rowJson({ variable, index, label, figures }: SummaryRow, columns: readonly string[]): JsonObject {
  const row: Record<string, JsonValue> = { variable, index, label }
  const reasons: Record<string, string> = {}
  for (const [i, column] of columns.entries()) {
    const figure = figures[i] ?? 'pending'
    row[column] = typeof figure === 'number' ? figure : null
    if (typeof figure === 'string') reasons[column] = figure
  }
  return Object.keys(reasons).length === 0 ? row : { ...row, reasons }
}

/** RFC 4180, with a head; shells want another end of lines. A figure that is not there is an empty cell. */
export function summaryCsv({ columns, rows }: Summary, end: '\r\n' | '\n' = '\r\n'): string {
  const lines = [['variable', 'index', 'label', ...columns].join()]
  for (const { variable, index, label, figures } of rows) {
    const cells = figures.map((figure) => (typeof figure === 'number' ? String(figure) : ''))
    lines.push([cell(variable), cell(index.join()), cell(label), ...cells].join())
  }
  return lines.join(end) + end
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
