/** /v1/runs/{rid}/draws.csv and draws.arrows: draws of all chains as one table. */

import type { Bytes } from '../core/draws/segment.ts'
import { arrowTable, MOST_ARROW_COLUMNS } from '../core/formats/tables/arrow.ts'
import { csvTable, MOST_CSV_COLUMNS } from '../core/formats/tables/csv.ts'
import type { DrawTable } from '../core/formats/tables/table.ts'
import { ARROW_TYPE, CSV_TYPE } from '../core/media-types.ts'
import type { ChainState } from '../core/store.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag } from '../http/negotiate.ts'
import { describe, emptyResponse, tableResponse } from '../http/openapi/describe.ts'
import { ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { UNKNOWN_COLUMN } from '../http/openapi/problems.ts'
import { tableParameters } from '../http/openapi/table-parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import { tableQuery } from '../http/table-query.ts'
import type { StoreRun } from '../runs/backend.ts'
import { type TableQuestion, tableColumns, tableOf } from '../runs/tables.ts'

/** One form of a table. */
interface Form {
  readonly extension: 'csv' | 'arrows'
  readonly type: string
  readonly most: number
  readonly write: (table: DrawTable) => AsyncGenerator<Bytes>
}

const CSV: Form = { extension: 'csv', type: `${CSV_TYPE}; charset=utf-8`, most: MOST_CSV_COLUMNS, write: csvTable }
const ARROW: Form = { extension: 'arrows', type: ARROW_TYPE, most: MOST_ARROW_COLUMNS, write: arrowTable }

function getTable(form: Form, operationId: string, summary: string): Operation {
  return {
    needs: 'read',
    describe: describe('Doors', operationId, summary, {
      description:
        'A row a draw, of all chains of one moment, one chain after the other. The columns `.chain`, `.iteration` and `.draw` count ' +
        'from 1, `.chain` is the number of the chain and 1; each scalar has a column behind them.',
      parameters: [...tableParameters, registration, ifNoneMatch],
      responses: { 200: tableResponse(form.type), 304: emptyResponse('Unchanged', 'ETag') },
      errors: [
        'invalid_slice',
        'run_not_found',
        'chain_not_found',
        UNKNOWN_COLUMN,
        'not_found',
        'run_replaced',
        'payload_too_large',
      ],
    }),
    handler: (c, services) => answer(c, services, form),
  }
}

async function answer(c: AppContext, { bounds }: Services, form: Form): Promise<Response> {
  const rid = ridParam(c)
  const question = tableQuery(c)
  const find = async (run: StoreRun) => {
    const found = tableColumns(run.schema, question, form.most)
    return { run, ...found, states: await run.chainStates(question.chains) }
  }
  const { run, columns, leftOut, states } = await withRun(c, rid, { resource: find }, find)
  const etag = await tableETag(form, run, states, question)
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = {
    ETag: etag,
    'Content-Type': form.type,
    'Content-Disposition': `attachment; filename="${rid}.${form.extension}"`,
    ...(leftOut.length > 0 && { 'Mcb-Left-Out': listOf(leftOut) }),
  }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const table = await tableOf(c.get('backend'), run, states, columns, question)
  return sendPieces(c, form.write(table), headers, bounds.stallMs)
}

/** ETag of a table, of its moment and its question: warmup is told by these, and not looked for. */
function tableETag(
  form: Form,
  { registration }: StoreRun,
  states: readonly ChainState[],
  { variables, stats, names, warmup, slice }: TableQuestion,
): Promise<string> {
  const lengths = states.map(({ chain, length }) => `${chain}:${length}`).join()
  const { start, stop, step } = slice
  const columns = JSON.stringify([variables, stats])
  return digestETag(['table', form.type, registration, lengths, columns, names, warmup, start, stop, step])
}

/** Characters of a header that names variables. */
const LIST_CHARACTERS = 2000

/** Names as a header takes them, percent-encoded; the last is `...` where there are too many. */
function listOf(names: readonly string[]): string {
  const texts: string[] = []
  let length = 0
  for (const name of names) {
    const text = encodeURIComponent(name)
    length += text.length + 2
    if (length > LIST_CHARACTERS) return [...texts, '...'].join(', ')
    texts.push(text)
  }
  return texts.join(', ')
}

export const tableRoutes: Resources = {
  '/v1/runs/:rid/draws.csv': { get: getTable(CSV, 'getDrawsCsv', 'Draws of all chains as a table in CSV') },
  '/v1/runs/:rid/draws.arrows': {
    get: getTable(ARROW, 'getDrawsArrow', "Draws of all chains as a table, in Arrow's stream format"),
  },
}
