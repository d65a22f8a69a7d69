/** The table of runs: rows of one height, of which those in view are there, and heads that sort. */
import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { RunLine } from '../../api/shapes.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import { useRowsWindow } from '../../parts/rows-window.ts'
import type { RunAction } from '../../run/actions.tsx'
import type { ListModel } from './list-model.ts'
import { type Sort, sortedBy } from './list-view.ts'
import { isNarrow } from './narrow.ts'
import { RunRow, rowLinkId } from './run-row.tsx'

/** Pixels of a row, and of a card on narrow screens. */
const HEIGHT = { wide: 50, narrow: 164 }
/** Milliseconds between two looks at the clock. */
const CLOCK_MS = 20_000

const HEADS: readonly (readonly [kind: string, label: string, sort: Sort | undefined, why?: string])[] = [
  ['choice', 'Compare', undefined],
  ['state', 'State', 'state'],
  ['name', 'Run', 'name'],
  ['started', 'Started', 'started', 'When it was registered'],
  ['chains', 'Chains', 'chains'],
  ['draws', 'Draws', 'draws', 'Of all chains, warmup included'],
  ['rate', 'Draws/s', 'rate', 'Of all chains, over the last half minute'],
  ['rhat', 'R-hat', 'rhat', 'The greatest of all scalars'],
  ['ess', 'ESS bulk / tail', 'ess', 'The least of all scalars'],
  ['divergences', 'Div.', 'divergences', 'Divergent draws behind warmup'],
  ['bfmi', 'E-BFMI', 'bfmi', 'The least of all chains'],
  ['eta', 'To ESS 400', 'eta', 'Time until the least ESS is 400'],
  ['acts', 'Actions', undefined],
]

export interface RunsTableProps {
  readonly model: ListModel
  /** False where there is but one run to see. */
  readonly canChoose: boolean
  readonly onAct: (action: RunAction, line: RunLine) => void
}

export function RunsTable({ model, canChoose, onAct }: RunsTableProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const height = isNarrow.value ? HEIGHT.narrow : HEIGHT.wide
  const { first, stop } = useRowsWindow(scroller, height)
  const now = useClock()
  const rows = model.rows.value
  const { current } = model
  const place = useComputed(() => model.rows.value.findIndex(({ line }) => line.rid === current.value)).value
  useEffect(() => {
    model.visible = () => inView(scroller.current, height).flatMap((i) => model.rows.peek()[i]?.line ?? [])
  }, [height])
  useRowKeys({ model, scroller, height, canChoose })
  const shown = placesOf(first, Math.min(stop, rows.length), place)
  return (
    <div class="runs-scroller" ref={scroller}>
      <table class="runs-table" aria-label="Runs" aria-rowcount={rows.length + 1}>
        <thead class="runs-heads">
          <tr class="run-row heads" aria-rowindex={1}>
            {HEADS.map(([kind, label, sort, why]) => (
              <Head key={kind} kind={kind} label={label} why={why} model={model} sort={sort} />
            ))}
          </tr>
        </thead>
        <tbody class="runs-rows" style={{ height: `${rows.length * height}px` }}>
          {shown.map((i) => {
            const row = rows[i]
            if (row === undefined) return null
            const { line } = row
            return (
              <RunRow
                key={line.rid}
                row={row}
                place={i}
                top={i * height}
                height={height}
                expected={model.closer.expectedOf(line.rid)}
                now={now}
                isCurrent={i === place}
                isChosen={canChoose ? model.chosen.value.includes(line.rid) : undefined}
                onFocus={() => (current.value = line.rid)}
                onChoose={() => model.toggle(line.rid)}
                onTag={(tag) => model.withTag(tag)}
                onAct={(action) => onAct(action, line)}
              />
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

interface HeadProps {
  readonly kind: string
  readonly label: string
  readonly why: string | undefined
  readonly sort: Sort | undefined
  readonly model: ListModel
}

function Head({ kind, label, why, sort, model }: HeadProps) {
  const view = model.view.value
  if (sort === undefined) {
    return (
      <th scope="col" class={`cell ${kind}`}>
        <span class="visually-hidden">{label}</span>
      </th>
    )
  }
  const order = view.sort === sort ? view.order : undefined
  const sorted = order === undefined ? 'none' : order === 'rising' ? 'ascending' : 'descending'
  return (
    <th scope="col" class={`cell ${kind}`} aria-sort={sorted} title={why}>
      <button type="button" class="quiet" onClick={() => model.change(sortedBy(view, sort))}>
        {label}
        <span aria-hidden="true" class="order">
          {order === undefined ? '' : order === 'rising' ? '↑' : '↓'}
        </span>
      </button>
    </th>
  )
}

/** Places of the rows that are there: those around the view, and the one that may have the focus. */
function placesOf(first: number, stop: number, current: number): readonly number[] {
  const places = Array.from({ length: Math.max(0, stop - first) }, (_each, i) => first + i)
  if (current < 0 || (current >= first && current < stop)) return places
  return current < first ? [current, ...places] : [...places, current]
}

function inView(scroller: HTMLElement | null, height: number): readonly number[] {
  if (scroller === null) return []
  const first = Math.floor(scroller.scrollTop / height)
  return Array.from({ length: Math.ceil(scroller.clientHeight / height) }, (_each, i) => first + i)
}

function useClock(): number {
  const now = useSignal(Date.now())
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now()
    }, CLOCK_MS)
    return () => clearInterval(timer)
  }, [])
  return now.value
}

interface RowKeys extends Pick<RunsTableProps, 'model' | 'canChoose'> {
  readonly scroller: { readonly current: HTMLElement | null }
  readonly height: number
}

function useRowKeys({ model, scroller, height, canChoose }: RowKeys): void {
  const latest = useRef(height)
  latest.current = height
  const step = (by: number) => {
    const rows = model.rows.peek()
    const at = rows.findIndex(({ line }) => line.rid === model.current.peek())
    const next = at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))
    const rid = rows[next]?.line.rid
    if (rid === undefined) return
    model.current.value = rid
    bringIntoView(scroller.current, next * latest.current, latest.current)
    // The row is there when the page has been painted anew.
    requestAnimationFrame(() => document.getElementById(rowLinkId(rid))?.focus({ preventScroll: true }))
  }
  useShortcuts([
    { keys: 'j ArrowDown', does: 'the next run', act: () => step(1) },
    { keys: 'k ArrowUp', does: 'the run before', act: () => step(-1) },
    ...(canChoose
      ? [
          {
            keys: 'x',
            does: 'choose the run to be compared, or let it go',
            act: () => {
              const rid = model.current.peek()
              if (rid !== undefined) model.toggle(rid)
            },
          },
        ]
      : []),
  ])
}

function bringIntoView(scroller: HTMLElement | null, top: number, height: number): void {
  if (scroller === null) return
  const head = scroller.querySelector('.runs-heads')?.clientHeight ?? 0
  const room = scroller.clientHeight - head
  if (top < scroller.scrollTop) scroller.scrollTop = top
  else if (top + height > scroller.scrollTop + room) scroller.scrollTop = top + height - room
}
