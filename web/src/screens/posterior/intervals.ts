/** Medians and intervals of the scalars of one page, as the run's summary has them. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ApiProblem } from '../../api/http.ts'
import { getSummaryPage, type SummaryQuery, type SummaryRow } from '../../api/summary.ts'
import { key } from '../../app/session.ts'
import type { ForestRow } from '../../plots/forest.ts'
import type { RunModel } from '../../run/model.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { partsOf } from './parts.ts'

/** R-hat from which a row is marked (Vehtari et al. 2021). */
const MIXED = 1.01
/** Milliseconds between two questions at least, and until an answer in part is asked for again. */
const REST_MS = 3000
const PROBS = { outer: 0.89, inner: 0.5 } as const

export interface Intervals {
  readonly rows: readonly ForestRow[]
  /** Draws of each chain, and chains; 0 before the first answer. */
  readonly draws: number
  readonly chains: number
  readonly isComplete: boolean
  readonly error: string | undefined
}

/** Figures of these scalars, asked for again as the run grows. */
export function useIntervals(
  model: RunModel,
  schema: RunSchema,
  scalars: readonly NamedScalar[],
): Intervals | undefined {
  const found = useSignal<{ readonly name: string; readonly intervals: Intervals } | undefined>(undefined)
  const { convention, warmup, chains } = model.view.value
  const news = model.diagnostics.value?.draws
  const name = JSON.stringify([convention, warmup, chains, scalars.map(({ label }) => label)])
  useEffect(() => {
    const stop = new AbortController()
    const rest = found.value?.name === name ? REST_MS : 0
    let timer = setTimeout(ask, rest)
    function ask() {
      read(model, schema, scalars, stop.signal).then(
        (intervals) => {
          found.value = { name, intervals }
          if (!intervals.isComplete) timer = setTimeout(ask, REST_MS)
        },
        (error: unknown) => {
          if (stop.signal.aborted) return
          const before = found.value?.name === name ? found.value.intervals : undefined
          found.value = { name, intervals: { ...(before ?? NONE), error: wordsOf(error) } }
          if (error instanceof ApiProblem && error.isPassing) timer = setTimeout(ask, REST_MS)
        },
      )
    }
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [name, news])
  return found.value?.name === name ? found.value.intervals : undefined
}

const NONE: Intervals = { rows: [], draws: 0, chains: 0, isComplete: true, error: undefined }

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function read(
  model: RunModel,
  schema: RunSchema,
  scalars: readonly NamedScalar[],
  signal: AbortSignal,
): Promise<Intervals> {
  if (scalars.length === 0) return NONE
  const { convention, warmup, chains } = model.view.value
  const base = {
    registration: model.registration.value,
    convention,
    warmup,
    limit: 10_000,
    ...(chains.length > 0 && { chains }),
  }
  const ask = (part: Pick<SummaryQuery, 'variables' | 'elements'>, prob: 'outer' | 'inner') => {
    const columns = prob === 'outer' ? (['median', 'lb', 'ub', 'rhat'] as const) : (['lb', 'ub'] as const)
    const query = { ...base, ...part, columns, ci: { kind: 'eti', prob: PROBS[prob] } } as const
    return getSummaryPage(model.rid, query, { key: key.value, signal })
  }
  const parts = partsOf(schema, scalars)
  const [outer, inner] = await Promise.all(
    (['outer', 'inner'] as const).map((prob) => Promise.all(parts.map((part) => ask(part, prob)))),
  )
  const placed = (pages: typeof outer) =>
    new Map((pages ?? []).flatMap(({ rows }) => rows.map((row) => [placeOf(row.variable, row.index), row] as const)))
  const [outers, inners] = [placed(outer), placed(inner)]
  const first = outer?.[0]
  return {
    rows: scalars.map((scalar) => {
      const place = placeOf(scalar.name, scalar.index)
      return rowOf(scalar, outers.get(place), inners.get(place))
    }),
    draws: first?.draws ?? 0,
    chains: first?.chains.length ?? 0,
    isComplete: [...(outer ?? []), ...(inner ?? [])].every(({ complete }) => complete),
    error: undefined,
  }
}

function placeOf(variable: string, index: readonly number[]): string {
  return JSON.stringify([variable, index])
}

function rowOf({ name, label }: NamedScalar, outer: SummaryRow | undefined, inner: SummaryRow | undefined): ForestRow {
  const figure = (row: SummaryRow | undefined, column: 'median' | 'lb' | 'ub' | 'rhat') => {
    const value = row?.figures[column]
    return typeof value === 'number' ? value : Number.NaN
  }
  const rhat = figure(outer, 'rhat')
  return {
    variable: name,
    label,
    median: figure(outer, 'median'),
    inner: [figure(inner, 'lb'), figure(inner, 'ub')],
    outer: [figure(outer, 'lb'), figure(outer, 'ub')],
    ...(rhat > MIXED && { rhat }),
  }
}
