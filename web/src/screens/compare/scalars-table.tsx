/** The table of scalars that runs have in common: rows of one height, of which those in view are there. */
import { useRef } from 'preact/hooks'
import type { SummaryRow } from '../../api/summary.ts'
import { count, rhatText, significant, withError } from '../../paint/number.ts'
import { ChainSign } from '../../parts/chain-sign.tsx'
import { useRowsWindow } from '../../parts/rows-window.ts'
import { differenceOf, greatestDifference, type JoinedScalar, numberOf, referenceOf } from './joined.ts'

/** Pixels of a row. */
const HEIGHT = 50
/** Differences in units of their Monte Carlo error that are no accident. */
const MUCH = 4

export interface ScalarsTableProps {
  /** Names of the runs. */
  readonly runs: readonly string[]
  readonly scalars: readonly JoinedScalar[]
  /** Label of the scalar of which densities are shown. */
  readonly chosen: string | undefined
  readonly onChoose: (label: string) => void
}

export function ScalarsTable({ runs, scalars, chosen, onChoose }: ScalarsTableProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const { first, stop } = useRowsWindow(scroller, HEIGHT)
  const columns = `minmax(9rem, 1.2fr) 6rem repeat(${runs.length}, minmax(12rem, 1fr))`
  const least = `${18 + 12.75 * runs.length}rem`
  const shown = scalars.slice(first, stop)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
    <section class="scalars-scroller" ref={scroller} aria-label="Scalars" tabIndex={0}>
      <table class="scalars" style={{ minWidth: least }} aria-rowcount={scalars.length + 1}>
        <thead>
          <tr style={{ gridTemplateColumns: columns }} aria-rowindex={1}>
            <th scope="col">Scalar</th>
            <th
              scope="col"
              class="number"
              title="The greatest difference of two means, in units of its Monte Carlo error"
            >
              Greatest Δ
            </th>
            {runs.map((run, i) => (
              <th key={run} scope="col" class="number" title={run}>
                <ChainSign place={i} chains={runs.length} /> <bdi>{run}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody style={{ height: `${scalars.length * HEIGHT}px` }}>
          {shown.map((scalar, i) => (
            <tr
              key={scalar.label}
              class={scalar.label === chosen ? 'chosen-scalar' : ''}
              aria-rowindex={first + i + 2}
              style={{ gridTemplateColumns: columns, top: `${(first + i) * HEIGHT}px` }}
            >
              <th scope="row">
                <button
                  type="button"
                  class="quiet"
                  aria-pressed={scalar.label === chosen}
                  title={`Show the densities of ${scalar.label}`}
                  onClick={() => onChoose(scalar.label)}
                >
                  <bdi>{scalar.label}</bdi>
                </button>
              </th>
              <td class="number">
                <DifferenceText value={greatestDifference(scalar)} />
              </td>
              {scalar.cells.map((cell, run) => (
                <ScalarCell key={runs[run]} cell={cell} reference={scalar.cells[referenceOf(scalar)]} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function DifferenceText({ value }: { readonly value: number | undefined }) {
  if (value === undefined) return <span class="nothing">–</span>
  const text = `${value > 0 ? '+' : ''}${significant(value, 2)}`
  return Math.abs(value) > MUCH ? <span class="status warn">! {text}</span> : <span>{text}</span>
}

interface ScalarCellProps {
  readonly cell: SummaryRow | undefined
  readonly reference: SummaryRow | undefined
}

function ScalarCell({ cell, reference }: ScalarCellProps) {
  if (cell === undefined) return <td class="number nothing">not in this run</td>
  const { mean, mcse_mean, sd, ess_bulk, rhat } = cell.figures
  const value = numberOf(mean)
  const error = numberOf(mcse_mean) ?? null
  const text = (figure: typeof sd, words: (number: number) => string) =>
    typeof figure === 'number' ? words(figure) : WORDS[figure ?? 'pending']
  const difference = cell === reference ? undefined : differenceOf(reference, cell)
  return (
    <td class="number">
      <span>
        {value === undefined ? text(mean, significant) : withError(value, error)}
        {error !== null && <span class="error"> ± {significant(error, 2)}</span>}
        {difference !== undefined && <span class="delta"> Δ {significant(difference, 2)}</span>}
      </span>
      <span class="more">
        sd {text(sd, significant)} · ESS {text(ess_bulk, count)} · R-hat {text(rhat, rhatText)}
      </span>
    </td>
  )
}

/** Reasons why a figure is none. */
const WORDS = {
  constant: 'constant',
  too_few: 'too few draws',
  nan: 'NaN',
  infinite: 'infinite',
  pending: '…',
} as const
