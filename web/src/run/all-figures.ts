/** R-hat and ESS of all scalars of a run, page after page, as often as there is news. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiProblem } from '../api/http.ts'
import { getSummaryPage, type Summary, type SummaryQuery, type SummaryRow } from '../api/summary.ts'
import { key } from '../app/session.ts'
import type { RunModel } from './model.ts'

export interface AllFigures {
  readonly labels: readonly string[]
  /** NaN where there is none. An R-hat is infinite where each chain stays at a value of its own. */
  readonly rhat: Float64Array
  readonly bulk: Float64Array
  readonly tail: Float64Array
  /** Draws of each chain, and chains, that they are of. */
  readonly draws: number
  readonly chains: number
  /** Milliseconds since 1970 of the answer. */
  readonly at: number
  /** False while some are pending on the server. */
  readonly isComplete: boolean
}

const COLUMNS = ['rhat', 'ess_bulk', 'ess_tail'] as const
/** Rows of a page, the most that the API gives. */
const PAGE = 10_000
/** Milliseconds between two questions at least. */
const REST_MS = 5000
/** Seconds that the server may take before it answers in part. */
const WAIT = 10

/** The newest figures, asked for again when diagnostics tell of other draws, or the choice changes. */
export function useAllFigures(model: RunModel): AllFigures | undefined {
  const found = useSignal<AllFigures | undefined>(undefined)
  const { convention, warmup, chains } = model.view.value
  const news = model.diagnostics.value?.draws
  const registration = model.registration.value
  const query: SummaryQuery = { registration, convention, warmup, chains, columns: COLUMNS, limit: PAGE, wait: WAIT }
  const choice = JSON.stringify(query)
  useEffect(() => {
    found.value = undefined
  }, [choice])
  useEffect(() => {
    const stop = new AbortController()
    const rest = found.value === undefined ? 0 : Math.max(0, found.value.at + REST_MS - Date.now())
    const timer = setTimeout(() => void follow(model, query, stop.signal, (figures) => (found.value = figures)), rest)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [choice, news])
  return found.value
}

/** Asks until all is computed. */
async function follow(
  model: RunModel,
  query: SummaryQuery,
  signal: AbortSignal,
  tell: (figures: AllFigures) => void,
): Promise<void> {
  try {
    for (;;) {
      const figures = await readAll(model.rid, query, signal)
      tell(figures)
      if (figures.isComplete) return
    }
  } catch (error) {
    // A server that is away, or a run that has gone, is told elsewhere; other refusals end this as well.
    if (!signal.aborted && !(error instanceof ApiProblem)) throw error
  }
}

async function readAll(rid: string, query: SummaryQuery, signal: AbortSignal): Promise<AllFigures> {
  const rows: SummaryRow[] = []
  let head: Summary | undefined
  let isComplete = true
  for (let cursor: string | undefined | null = null; cursor !== undefined; ) {
    const page: Awaited<ReturnType<typeof getSummaryPage>> = await getSummaryPage(rid, query, {
      key: key.value,
      signal,
      cursor: cursor ?? undefined,
    })
    head ??= page
    isComplete &&= page.complete
    for (const row of page.rows) rows.push(row)
    cursor = page.nextCursor
  }
  const column = (name: (typeof COLUMNS)[number]) => Float64Array.from(rows, (row) => numberOf(row.figures[name]))
  return {
    labels: rows.map(({ label }) => label),
    rhat: column('rhat'),
    bulk: column('ess_bulk'),
    tail: column('ess_tail'),
    draws: head?.draws ?? 0,
    chains: head?.chains.length ?? 0,
    at: Date.now(),
    isComplete,
  }
}

function numberOf(figure: number | string | undefined): number {
  if (typeof figure === 'number') return figure
  return figure === 'infinite' ? Number.POSITIVE_INFINITY : Number.NaN
}
