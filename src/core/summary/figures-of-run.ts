/** The figures of a whole run, of a summary that has all its scalars. */
import type { RunDiagnostics } from '../diagnostics/run-diagnostics.ts'
import type { ColumnSpec, Schema } from '../draws/columns.ts'
import type { SummaryQuestion } from './question.ts'
import type { Summary } from './summary.ts'

/**
 * The worst R-hat and ESS; undefined where the summary is of other draws than those that a run is judged by, or does not have all
 * figures of all scalars. A summary tells nothing of sampler stats and checks: their members are null.
 *
 * @param at milliseconds since 1970 at which the summary was asked for
 */
export function figuresOfRun(
  schema: Schema,
  question: SummaryQuestion,
  summary: Summary,
  at: number,
): RunDiagnostics | undefined {
  const { draws, columns, rows } = summary
  const [rhat, essBulk, essTail] = (['rhat', 'ess_bulk', 'ess_tail'] as const).map((column) => columns.indexOf(column))
  if (rhat === undefined || essBulk === undefined || essTail === undefined) return undefined
  if (Math.min(rhat, essBulk, essTail) < 0 || draws === 0 || !isOfAll(schema, question, summary)) return undefined
  const numbers = (place: number) =>
    rows.map(({ figures }) => figures[place]).filter((value) => typeof value === 'number')
  const isInfinite = rows.some(({ figures }) => figures[rhat] === 'infinite')
  return {
    draws,
    rhat: isInfinite ? null : reduced(numbers(rhat), Math.max),
    essBulk: reduced(numbers(essBulk), Math.min),
    essTail: reduced(numbers(essTail), Math.min),
    divergences: null,
    bfmi: null,
    status: null,
    at: new Date(at).toISOString(),
  }
}

function reduced(values: readonly number[], worse: (a: number, b: number) => number): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => worse(a, b))
}

function isOfAll({ draws }: Schema, question: SummaryQuestion, { complete, rows, nextCursor }: Summary): boolean {
  const { specs, elements, chains, warmup, convention, cursor } = question
  if (warmup !== 'exclude' || convention !== 'posterior' || chains !== undefined || elements !== undefined) return false
  if (!complete || rows.length === 0 || cursor !== undefined || nextCursor !== undefined) return false
  const wanted = numbersIn(draws.values())
  const given = new Set(numbersIn(specs))
  return given.size === wanted.length && wanted.every((spec) => given.has(spec))
}

function numbersIn(specs: Iterable<ColumnSpec>): number[] {
  return [...specs].filter(({ kind }) => kind === 'rigid-numbers').map(({ index }) => index)
}
