/** Scalars that runs have in common: their table, their intervals, and the densities of one of them. */
import { useEffect, useMemo } from 'preact/hooks'
import { go, place } from '../../app/navigate.ts'
import { key } from '../../app/session.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import type { Density } from '../../draws/questions.ts'
import { Chart } from '../../parts/chart.tsx'
import { compareDensityPlot } from '../../plots/compare-density.ts'
import { compareForestHeight, compareForestPlot } from '../../plots/compare-forest.ts'
import { StandingQuestion } from '../../run/use-draws.ts'
import { MOST_SCALARS } from './compared-run.ts'
import type { Comparison } from './comparison.ts'
import { type JoinedScalar, numberOf, type ScalarOrder, shownScalars } from './joined.ts'
import { forestPython } from './python.ts'
import { ScalarsTable } from './scalars-table.tsx'

/** Scalars of the forest, and points of a density. */
const FOREST_ROWS = 16
const POINTS = 200

interface ScalarsView {
  readonly text: string
  readonly order: ScalarOrder
  readonly sel: string | undefined
}

function viewOfPlace(): ScalarsView {
  const at = place.value
  const { vars = '', sort, sel } = at.screen === 'compare' ? at.more : {}
  return { text: vars, order: sort === 'run' ? 'run' : 'difference', sel }
}

function change(part: { readonly vars?: string; readonly sort?: string; readonly sel?: string }): void {
  const at = place.peek()
  if (at.screen !== 'compare') return
  const more = Object.entries({ ...at.more, ...part }).filter(([, value]) => value !== '')
  go({ ...at, more: Object.fromEntries(more) }, 'replace')
}

export function ScalarsPart({ comparison }: { readonly comparison: Comparison }) {
  const view = viewOfPlace()
  const { common, joined, runs, isOpen } = comparison
  const scalars = useMemo(() => shownScalars(joined.value, view), [joined.value, view.text, view.order])
  const chosen = scalars.find(({ label }) => label === view.sel) ?? scalars[0]
  if (common.value.length === 0) {
    return (
      <section class="card" aria-label="Scalars">
        <p class="quiet-text">{isOpen.value ? nothingWords(comparison) : 'Reading figures …'}</p>
      </section>
    )
  }
  return (
    <>
      <div class="compare-plots">
        <section class="card" aria-label="Intervals">
          <Forest comparison={comparison} scalars={scalars.slice(0, FOREST_ROWS)} />
        </section>
        <section class="card" aria-label="Densities">
          {chosen !== undefined && <Densities comparison={comparison} scalar={chosen} />}
        </section>
      </div>
      <section class="card" aria-labelledby="compare-scalars">
        <h2 id="compare-scalars">Scalars in common</h2>
        <Tools view={view} />
        <ScalarsTable
          runs={comparison.names.value}
          scalars={scalars}
          chosen={chosen?.label}
          onChoose={(label) => change({ sel: label })}
        />
        <p class="quiet-text note">
          {countsText(comparison, runs.length)} Δ is the difference of two means, to the first run that has the scalar,
          in units of its Monte Carlo error √(MCSE² + MCSE²): beyond ±4 it is no accident of sampling.
        </p>
      </section>
    </>
  )
}

function nothingWords({ runs }: Comparison): string {
  if (runs.filter(({ summary }) => summary.value !== undefined).length < 2) {
    return 'Scalars are compared as soon as two of these runs can be read and have draws.'
  }
  return 'These runs have no scalar in common.'
}

function countsText({ joined, common, runs }: Comparison, many: number): string {
  const alone = joined.value.length - common.value.length
  const isCut = runs.some(({ summary }) => summary.value?.rows.length === MOST_SCALARS)
  const parts = [
    `Convention of R’s posterior; intervals of 89 %.`,
    alone === 0 ? '' : `${alone} scalars are in one of the ${many} runs alone.`,
    isCut ? `Of each run the first ${MOST_SCALARS} scalars are compared.` : '',
  ]
  return parts.filter((part) => part !== '').join(' ')
}

function Tools({ view }: { readonly view: ScalarsView }) {
  useShortcuts([{ keys: '/', does: 'filter scalars', act: () => document.getElementById('compare-filter')?.focus() }])
  return (
    <div class="compare-tools">
      <input
        id="compare-filter"
        type="search"
        aria-label="Filter scalars"
        placeholder="part of a name"
        value={view.text}
        onInput={(event) => change({ vars: event.currentTarget.value })}
      />
      <label>
        <span class="visually-hidden">Order</span>
        <select
          value={view.order}
          onChange={(event) => change({ sort: event.currentTarget.value === 'run' ? 'run' : '' })}
        >
          <option value="difference">greatest difference first</option>
          <option value="run">as in the run</option>
        </select>
      </label>
    </div>
  )
}

interface ForestProps {
  readonly comparison: Comparison
  readonly scalars: readonly JoinedScalar[]
}

function Forest({ comparison, scalars }: ForestProps) {
  const runs = comparison.names.value
  const rows = scalars.map(({ label, cells }) => ({
    label,
    cells: cells.map((cell) => {
      const { mean, lb, ub } = cell?.figures ?? {}
      const number = (figure: typeof mean) => numberOf(figure) ?? Number.NaN
      return cell === undefined ? undefined : { mean: number(mean), ends: [number(lb), number(ub)] as const }
    }),
  }))
  const all = comparison.common.value.length
  const note =
    all > scalars.length ? `The first ${scalars.length} of ${all} scalars, in the order of the table.` : undefined
  const python = forestPython({
    url: location.origin,
    access: key.value === undefined ? 'open' : 'keyed',
    runs: comparison.runs.map(({ rid }, i) => [runs[i] ?? rid, rid] as const),
    variables: [...new Set(scalars.map(({ variable }) => variable))],
  })
  const plot = compareForestPlot({ runs, rows, note, python })
  return <Chart plot={plot} height={compareForestHeight(runs.length, rows.length)} />
}

interface DensitiesProps {
  readonly comparison: Comparison
  readonly scalar: JoinedScalar
}

function Densities({ comparison, scalar }: DensitiesProps) {
  const { runs, names } = comparison
  const questions = useMemo(() => runs.map((run) => new StandingQuestion(run, 'density')), [runs])
  useEffect(() => {
    for (const [i, question] of questions.entries()) question.want(densityQuestion(comparison, scalar, i))
  })
  useEffect(() => {
    const ends = questions.map((question) => question.begin())
    return () => {
      for (const end of ends) end()
    }
  }, [questions])
  const answers = questions.map(({ answered }) => answered.value)
  const densities = answers.map(({ answer }): Density | undefined => answer)
  const errors = answers.flatMap(({ error }, i) => (error === undefined ? [] : [`${names.value[i]}: ${error}`]))
  if (densities.every((density) => density === undefined)) {
    return <Chart plot={undefined} height={280} empty={errors[0]} />
  }
  const note = ['All chains, behind warmup.', ...errors].join(' ')
  return <Chart plot={compareDensityPlot({ label: scalar.label, runs: names.value, densities, note })} height={280} />
}

function densityQuestion({ runs }: Comparison, { cells }: JoinedScalar, i: number) {
  const label = cells[i]?.label
  const scalar = label === undefined ? undefined : runs[i]?.schema.value?.find(label)
  if (scalar === undefined) return undefined
  const { group, name, element } = scalar
  return { scalar: { group, name, element }, choice: { warmup: 'exclude' as const }, points: POINTS }
}
