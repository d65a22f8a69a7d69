/** One scalar with its figures in words, and all its plots. */
import { useMemo } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import { count } from '../../paint/number.ts'
import { intervalOf } from '../../run/figures-page.ts'
import { columnsFor, SIGNS, WORDS } from './figure-columns.ts'
import type { TableModel } from './table-model.ts'
import { VariableCharts } from './variable-charts.tsx'

export function VariableView({ table, label }: { readonly table: TableModel; readonly label: string }) {
  const { listing } = table
  const at = useMemo(() => listing.find(label), [listing, label])
  const scalar = useMemo(() => (at === undefined ? undefined : listing.scalar(at)), [listing, at])
  const sequence = table.sequence.value
  const place = at === undefined ? -1 : sequence.indexOf(at)
  const go = (step: number) => {
    const next = sequence[place + step]
    if (next !== undefined && place + step >= 0) show({ sel: listing.label(next) }, 'replace')
  }
  const walk = (step: number) => {
    const column = at === undefined ? undefined : listing.columnOf(at)
    if (at === undefined || column === undefined) return
    const next = at + step
    if (next >= column.first && next < column.first + column.column.scalars) show({ sel: listing.label(next) })
  }
  useShortcuts([
    { keys: 'j', does: 'next variable of the table', act: () => go(1) },
    { keys: 'k', does: 'variable before', act: () => go(-1) },
    { keys: 'ArrowRight', does: 'next element of a vector', act: () => walk(1) },
    { keys: 'ArrowLeft', does: 'element before', act: () => walk(-1) },
    { keys: 'u', does: 'back to the table', act: back },
  ])
  return (
    <div class="v-one">
      <div class="v-one-head">
        <button type="button" onClick={back}>
          <span aria-hidden="true">‹</span> All<span class="v-word"> variables</span>
        </button>
        <h2>{label}</h2>
        {place >= 0 && (
          <span class="quiet-text">
            {count(place + 1)} of {count(sequence.length)}
          </span>
        )}
        <span class="gap" />
        <button type="button" disabled={place <= 0} onClick={() => go(-1)}>
          <span aria-hidden="true">↑</span> <span class="v-word">Before</span>
        </button>
        <button type="button" disabled={place < 0 || place >= sequence.length - 1} onClick={() => go(1)}>
          <span aria-hidden="true">↓</span> <span class="v-word">Next</span>
        </button>
      </div>
      {at === undefined || scalar === undefined ? (
        <p class="middle">This run has no figures of “{label}”: it may be of strings, or of a shape that varies.</p>
      ) : (
        <>
          <Figures table={table} at={at} />
          <VariableCharts key={at} table={table} scalar={scalar} at={at} />
        </>
      )}
    </div>
  )
}

function back(): void {
  show({ sel: undefined }, 'push')
}

/** The figures of the row, each with its name in words. */
function Figures({ table, at }: { readonly table: TableModel; readonly at: number }) {
  const { figures, model } = table
  void figures.version.value
  const { chains, draws, error, progress } = figures.state.value
  const { kind, prob } = intervalOf(model.view.value.more.ci)
  const interval = `${Math.round(prob * 1000) / 10} % ${kind === 'hdi' ? 'highest density' : 'equal tails'}`
  return (
    <dl class="v-figures card">
      {columnsFor(interval).map((column) => {
        const { text, verdict, isReason } = column.cell(figures, at, Math.max(1, chains))
        return (
          <div key={column.name}>
            <dt title={column.words}>{column.title}</dt>
            <dd class={isReason ? 'reason' : verdict}>
              {SIGNS[verdict]}
              {text}
              <span class="visually-hidden">{WORDS[verdict]}</span>
            </dd>
          </div>
        )
      })}
      <div class="v-figures-of">
        <dt>of</dt>
        <dd>{error ?? (chains === 0 ? '…' : `${chains} × ${count(draws)} draws${progress < 1 ? ', in part' : ''}`)}</dd>
      </div>
    </dl>
  )
}
