/** The table of variables: all scalars, of which only those in view are rows of the page. */
import { type ReadonlySignal, type Signal, untracked, useSignal, useSignalEffect } from '@preact/signals'
import type { VNode } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { showMore } from '../../app/navigate.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import { intervalOf } from '../../run/figures-page.ts'
import { columnsFor, type TableColumn } from './figure-columns.ts'
import { type Sort, shownOf } from './listing.ts'
import { cellText, openScalar, Row, toggle } from './row.tsx'
import type { HeatKind } from './strip.tsx'
import type { TableModel } from './table-model.ts'

/** Pixels of a row. */
const ROW = 38
/** Rows above and below those in view. */
const SPARE = 3

export function VariablesTable({ table }: { readonly table: TableModel }) {
  const scroller = useRef<HTMLDivElement>(null)
  const grid = useRef<HTMLTableElement>(null)
  const view = useInView(scroller, table)
  const cell = useSignal<Cursor | undefined>(undefined)
  const rows = table.rows.value
  const { more } = table.model.view.value
  const columns = useMemo(() => columnsFor(intervalTitle(more.ci)), [more.ci])
  const heat = more.heat === 'ess' ? 'ess' : 'rhat'
  const active = Math.min(table.active.value, rows.length - 1)
  const move = (to: number) => {
    const at = Math.max(0, Math.min(table.rows.peek().length - 1, to))
    table.active.value = at
    cell.value = undefined
    grid.current?.focus({ preventScroll: true })
    reveal(scroller.current, at)
  }
  const order = more.sort
  const before = useRef(order)
  useEffect(() => {
    if (before.current === order) return
    before.current = order
    // In another order, the first rows are what is asked for.
    table.active.value = 0
    scroller.current?.scrollTo(0, 0)
  }, [order])
  useShortcuts([
    { keys: 'j', does: 'next row of the table', act: () => move(table.active.peek() + 1) },
    { keys: 'k', does: 'row before', act: () => move(table.active.peek() - 1) },
  ])
  return (
    <div class="v-table">
      <div ref={scroller} class="v-scroller" style={{ height: `${Math.max(rows.length + 1, 4) * ROW + 2}px` }}>
        <table
          ref={grid}
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: its rows are walked by arrow keys
          role="grid"
          tabIndex={0}
          aria-label="Variables"
          aria-rowcount={rows.length + 1}
          aria-colcount={columns.length + 2}
          aria-activedescendant={rows.length > 0 ? `variable-row-${active}` : undefined}
          onKeyDown={(event) => {
            if (onGridKey(event, table, { move, cell })) event.preventDefault()
          }}
          onClick={(event) => onGridClick(event, table)}
        >
          <Head columns={columns} sort={table.sort.value} />
          <Body {...{ table, columns, heat, active, cell }} view={view.value} />
        </table>
        {rows.length === 0 && <p class="v-none">Nothing here has such a name. Change the filter above.</p>}
      </div>
      <p class="visually-hidden" aria-live="polite">
        {cell.value === undefined ? '' : cellWords(table, cell.value, heat)}
      </p>
    </div>
  )
}

interface View {
  readonly first: number
  readonly stop: number
}

/** The rows that are in view, and a few beside them; their pictures are asked for. */
function useInView(scroller: { readonly current: HTMLElement | null }, table: TableModel): ReadonlySignal<View> {
  const view = useSignal<View>({ first: 0, stop: 30 })
  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    element.scrollTop = table.scrolled
    const look = () => {
      table.scrolled = element.scrollTop
      const first = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE)
      const stop = Math.ceil((element.scrollTop + element.clientHeight) / ROW) + SPARE
      const now = view.peek()
      if (now.first !== first || now.stop !== stop) view.value = { first, stop }
    }
    const sizes = new ResizeObserver(look)
    sizes.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      sizes.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [])
  useSignalEffect(() => {
    const { first, stop } = view.value
    const shown = [...table.rows.value.subarray(first, stop)].filter((row) => row >= 0)
    untracked(() => table.sparks.show(shown))
  })
  return view
}

interface BodyProps {
  readonly table: TableModel
  readonly columns: readonly TableColumn[]
  readonly heat: HeatKind
  readonly active: number
  readonly cell: Signal<Cursor | undefined>
  readonly view: View
}

function Body({ table, columns, heat, active, cell, view: { first, stop } }: BodyProps) {
  const rows = table.rows.value
  const last = Math.min(stop, rows.length)
  const slots = stop - first
  const kept = useRef(new Map<number, Kept>())
  const onCursor = (index: number, place: number | undefined) => {
    cell.value = place === undefined ? undefined : { index, place }
  }
  const now = new Map<number, Kept>()
  for (let index = first; index < last; index++) {
    // A row that leaves the view is used for the one that comes.
    const slot = index % slots
    const row = rows[index] ?? 0
    const cursor = cell.value?.index === index ? cell.value.place : undefined
    const of = [table, columns, index, row, index === active, heat, cursor]
    const before = kept.current.get(slot)
    const isSame = before?.of.every((fact, i) => fact === of[i]) ?? false
    const props = { table, columns, index, row, heat, cursor, onCursor, isActive: index === active, top: index * ROW }
    now.set(slot, isSame && before !== undefined ? before : { of, node: <Row key={slot} {...props} /> })
  }
  kept.current = now
  return (
    <tbody class="v-body" style={{ height: `${rows.length * ROW}px` }}>
      {[...now.values()].map(({ node }) => node)}
    </tbody>
  )
}

/** A row as it was rendered, and what it was made of: the same one again costs nothing. */
interface Kept {
  readonly of: readonly unknown[]
  readonly node: VNode
}

/** A click on a scalar's row opens it. */
function onGridClick({ target }: { readonly target: EventTarget | null }, table: TableModel): void {
  const row = target instanceof Element ? target.closest('tr[data-index]') : null
  if (!(row instanceof HTMLElement) || target instanceof HTMLButtonElement) return
  const scalar = table.rows.peek()[Number(row.dataset.index)]
  if (scalar === undefined) return
  table.active.value = Number(row.dataset.index)
  if (scalar >= 0) openScalar(table, scalar)
}

function intervalTitle(ci: string | undefined): string {
  const { kind, prob } = intervalOf(ci)
  return `${kind}${Math.round(prob * 1000) / 10}`
}

/** Scrolls so that a row is in view, below the head that stays. */
function reveal(element: HTMLElement | null, index: number): void {
  if (element === null) return
  const head = ROW
  const [top, room] = [index * ROW, element.clientHeight - head]
  if (top < element.scrollTop) element.scrollTop = top
  else if (top + ROW > element.scrollTop + room) element.scrollTop = top + ROW - room
}

const ROW_ROLE = { role: 'row' } as const
const HEAD_ROLE = { role: 'columnheader', scope: 'col' } as const

function Head({ columns, sort }: { readonly columns: readonly TableColumn[]; readonly sort: Sort | undefined }) {
  return (
    <thead>
      <tr {...ROW_ROLE} class="v-row v-head" aria-rowindex={1}>
        <th {...HEAD_ROLE} class="v-name">
          name
        </th>
        {columns.map(({ figure, name, title, words, worst }) => {
          const own = sort?.figure === figure ? sort.direction : undefined
          const ariaSort = own === undefined ? 'none' : own === 'rising' ? 'ascending' : 'descending'
          return (
            <th {...HEAD_ROLE} key={name} class={`v-${name} number`} aria-sort={ariaSort}>
              <button
                type="button"
                class="quiet"
                title={`${words}: sort`}
                onClick={() => sortBy(figure, own, worst === 'least' ? 'rising' : 'falling')}
              >
                {title}
                <span aria-hidden="true">{own === undefined ? '' : own === 'rising' ? ' ↑' : ' ↓'}</span>
              </button>
            </th>
          )
        })}
        <th {...HEAD_ROLE} class="v-sparks v-sparks-head">
          <span>trace</span>
          <span>distribution</span>
          <span>ranks</span>
        </th>
      </tr>
    </thead>
  )
}

/** The worst first, then the best, then by registration. */
function sortBy(figure: string, now: Sort['direction'] | undefined, worst: Sort['direction']): void {
  const next = now === undefined ? worst : now === worst ? (worst === 'rising' ? 'falling' : 'rising') : undefined
  showMore({ sort: next === undefined ? undefined : `${next === 'falling' ? '-' : ''}${figure}` })
}

interface Walk {
  readonly move: (to: number) => void
  readonly cell: Signal<Cursor | undefined>
}

interface Cursor {
  readonly index: number
  readonly place: number
}

/** True when the key meant something. */
function onGridKey({ key, target, currentTarget }: GridEvent, table: TableModel, { move, cell }: Walk): boolean {
  // Keys on the head's buttons are theirs.
  if (target !== currentTarget) return false
  const at = table.active.peek()
  const page = 10
  const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }
  const step = steps[key]
  if (step !== undefined) move(at + step)
  else if (key === 'Home') move(0)
  else if (key === 'End') move(table.rows.peek().length - 1)
  else if (key === 'Enter') openRow(table, at, cell.peek())
  else if (key === 'ArrowRight' || key === 'ArrowLeft') return walkCells(table, at, key === 'ArrowRight' ? 1 : -1, cell)
  else return false
  return true
}

interface GridEvent {
  readonly key: string
  readonly target: unknown
  readonly currentTarget: unknown
}

function openRow(table: TableModel, index: number, cursor: Cursor | undefined): void {
  const row = table.rows.peek()[index]
  if (row === undefined) return
  if (row >= 0) {
    openScalar(table, row)
    return
  }
  const listed = table.listing.columns[-1 - row]
  if (listed === undefined || listed.column.scalars === 0) return
  const scalar = cursor === undefined ? undefined : cellsIn(table, index)[cursor.place]
  if (scalar === undefined) toggle(table, listed.column.name)
  else openScalar(table, scalar)
}

/** Scalars of the vector whose head this row is. */
function cellsIn(table: TableModel, index: number): readonly number[] {
  const row = table.rows.peek()[index] ?? 0
  const listed = row < 0 ? table.listing.columns[-1 - row] : undefined
  return listed === undefined ? [] : shownOf(listed.first, listed.column.scalars, table.mask.peek())
}

function walkCells(table: TableModel, index: number, step: number, cell: Walk['cell']): boolean {
  const cells = cellsIn(table, index)
  if (cells.length === 0) return false
  const now = cell.peek()
  const place = now?.index === index ? now.place + step : step > 0 ? 0 : cells.length - 1
  cell.value = { index, place: Math.max(0, Math.min(cells.length - 1, place)) }
  return true
}

/** The cell under the cursor, for those who do not see it. */
function cellWords(table: TableModel, { index, place }: Cursor, heat: HeatKind): string {
  return cellText(table, cellsIn(table, index)[place], heat, 'cell')
}
