/** Rows of the table of variables: a scalar with its figures and pictures, and the head of a vector. */
import { useEffect, useRef } from 'preact/hooks'
import { show, showMore } from '../../app/navigate.ts'
import { theme } from '../../app/theme.ts'
import type { Spark } from '../../draws/questions.ts'
import { count } from '../../paint/number.ts'
import { painterOf } from '../../parts/chart-canvas.ts'
import { paintNever, paintSoon } from '../../parts/frames.ts'
import { paintSparkDensity, paintSparkRanks, paintSparkTrace } from '../../plots/sparks.ts'
import { SIGNS, type TableColumn, WORDS } from './figure-columns.ts'
import { isOpen, shownOf } from './listing.ts'
import { type HeatKind, Strip } from './strip.tsx'
import type { TableModel } from './table-model.ts'

/** Roles said aloud, as rows and cells are laid out in ways that some browsers take for none. */
const CELL = { role: 'gridcell' } as const

export interface RowProps {
  readonly table: TableModel
  readonly columns: readonly TableColumn[]
  /** Its place in the table, from 0. */
  readonly index: number
  /** A scalar's number, or −1 − c for the head of column c. */
  readonly row: number
  readonly isActive: boolean
  readonly top: number
  readonly heat: HeatKind
  /** Element under the cursor of a vector's strip, for the row that is active. */
  readonly cursor: number | undefined
  readonly onCursor: (index: number, place: number | undefined) => void
}

export function openScalar(table: TableModel, scalar: number): void {
  show({ sel: table.listing.label(scalar) }, 'push')
}

/** Opens a vector that is closed, and closes one that is open. */
export function toggle(table: TableModel, name: string): void {
  const open = new Set(table.toggled.peek())
  if (!open.delete(name)) open.add(name)
  showMore({ open: openText(open) })
}

export function Row(props: RowProps) {
  const { table, index, row, isActive, top } = props
  const frame = {
    role: 'row',
    id: `variable-row-${index}`,
    'data-index': index,
    'aria-rowindex': index + 2,
    'aria-selected': isActive,
    style: { transform: `translateY(${top}px)` },
  } as const
  if (row >= 0) return <ScalarRow {...props} frame={frame} />
  const listed = table.listing.columns[-1 - row]
  if (listed === undefined) return null
  const { column } = listed
  if (column.scalars === 0) {
    return (
      <tr {...frame} class={`v-row unplotted${isActive ? ' active' : ''}`}>
        <td {...CELL} class="v-name" title={column.name}>
          {column.name}
        </td>
        <td {...CELL} class="v-why">
          {whyNone(column.dtype, column.shape)}
        </td>
      </tr>
    )
  }
  return <GroupRow {...props} frame={frame} />
}

function whyNone(dtype: string, shape: readonly number[] | null): string {
  if (dtype === 'str' || dtype === 'string') return 'strings: no figures and no plots'
  if (shape === null || shape.some((length) => length < 0)) {
    return 'of a shape that varies from draw to draw: no figures and no plots'
  }
  return shape.includes(0) ? 'without elements' : `of ${dtype}: no figures and no plots`
}

interface Framed extends RowProps {
  readonly frame: Readonly<Record<string, unknown>>
}

function ScalarRow({ table, columns, row, isActive, frame }: Framed) {
  const { figures, listing } = table
  void figures.version.value
  const chains = Math.max(1, figures.state.value.chains)
  const label = listing.label(row)
  const isElement = listing.columnOf(row).isGroup && table.sort.value === undefined
  return (
    <tr {...frame} class={`v-row${isActive ? ' active' : ''}`}>
      <td {...CELL} class={`v-name${isElement ? ' element' : ''}`} title={label}>
        {label}
      </td>
      {columns.map((column) => {
        const { text, verdict, isReason } = column.cell(figures, row, chains)
        return (
          <td {...CELL} key={column.name} class={`v-${column.name} number ${isReason ? 'reason' : verdict}`}>
            {SIGNS[verdict]}
            {text}
            {verdict !== 'ok' && <span class="visually-hidden">{WORDS[verdict]}</span>}
          </td>
        )
      })}
      <Sparks table={table} row={row} />
    </tr>
  )
}

const HEIGHT = 30
/** Pixels between two pictures. */
const GAP = 12

function Sparks({ table, row }: { readonly table: TableModel; readonly row: number }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  void table.sparks.version.value
  const spark = table.sparks.of(row)
  const colours = theme.value
  useEffect(() => {
    const paint = () => {
      const element = canvas.current
      if (element !== null) paintSparks(element, spark, table)
    }
    paintSoon(paint)
    return () => paintNever(paint)
  }, [spark, colours])
  return (
    <td {...CELL} class="v-sparks">
      <canvas ref={canvas} />
    </td>
  )
}

function paintSparks(canvas: HTMLCanvasElement, spark: Spark | undefined, { model }: TableModel): void {
  const width = canvas.clientWidth
  const painter = width === 0 ? undefined : painterOf(canvas, { width, height: HEIGHT })
  if (painter === undefined || spark === undefined) return
  const all = model.chains.peek().map(({ chain }) => chain)
  const colours = theme.peek()
  // On a phone there is room for one: the distribution.
  const isNarrow = width < 150
  const box = { y: 1, width: isNarrow ? width : (width - 2 * GAP) / 3, height: HEIGHT - 2 }
  const at = (place: number) => ({ ...box, x: isNarrow ? 0 : place * (box.width + GAP) })
  if (!isNarrow) paintSparkTrace(painter, at(0), spark.trace, all, colours)
  if (spark.density !== undefined) paintSparkDensity(painter, at(1), spark.density, all, colours)
  if (spark.ranks !== undefined && !isNarrow) paintSparkRanks(painter, at(2), spark.ranks, all, colours)
}

function GroupRow({ table, index, row, isActive, frame, heat, cursor, onCursor }: Framed) {
  const { figures, listing, mask, toggled } = table
  const listed = listing.columns[-1 - row]
  if (listed === undefined) return null
  const { column, first } = listed
  const scalars = shownOf(first, column.scalars, mask.value)
  const isShown = isOpen(column.name, scalars.length, toggled.value)
  const chains = Math.max(1, figures.state.value.chains)
  const many =
    scalars.length === column.scalars ? count(column.scalars) : `${count(scalars.length)} of ${count(column.scalars)}`
  return (
    <tr {...frame} class={`v-row group${isActive ? ' active' : ''}`}>
      <td {...CELL} class="v-name">
        <button
          type="button"
          class="quiet v-toggle"
          tabIndex={-1}
          aria-expanded={isShown}
          onClick={() => toggle(table, column.name)}
        >
          <span aria-hidden="true">{isShown ? '▾' : '▸'}</span>
          <span class="v-group" title={column.name}>
            {column.name}
          </span>
          <span class="v-shape">
            {column.dims.length > 0 ? column.dims.join(' × ') : 'elements'}: {many}
          </span>
        </button>
      </td>
      <td {...CELL} class="v-strip">
        <Strip
          figures={figures}
          scalars={scalars}
          kind={heat}
          chains={chains}
          cursor={cursor}
          onCursor={(place) => onCursor(index, place)}
          onOpen={(place) => {
            const scalar = scalars[place]
            if (scalar !== undefined) openScalar(table, scalar)
          }}
          onChoose={(from, to) => choose(table, column.name, (scalars[from] ?? 0) - first, (scalars[to] ?? 0) - first)}
        />
      </td>
      <td {...CELL} class="v-cell-words">
        {cursor === undefined
          ? cellText(table, worstOf(table, scalars, heat), heat, 'worst')
          : cellText(table, scalars[cursor], heat, 'cell')}
      </td>
    </tr>
  )
}

/** Names of vectors as the address has them. */
function openText(open: ReadonlySet<string>): string | undefined {
  return open.size === 0 ? undefined : [...open].map(encodeURIComponent).join(' ')
}

function choose(table: TableModel, name: string, first: number, last: number): void {
  const open = new Set(table.toggled.peek())
  // Elements that are chosen are wanted to be seen.
  if (!isOpen(name, last - first + 1, open) && !open.delete(name)) open.add(name)
  showMore({ open: openText(open), elems: `${name}:${first}-${last}` }, 'push')
}

/** The scalar with the worst figure; undefined where there is none. */
function worstOf({ figures }: TableModel, scalars: readonly number[], heat: HeatKind): number | undefined {
  const { values } = figures.column(heat === 'rhat' ? 'rhat' : 'ess_bulk')
  const sign = heat === 'rhat' ? 1 : -1
  let [worst, most] = [-1, Number.NEGATIVE_INFINITY]
  for (const at of scalars) {
    const value = sign * (values[at] ?? Number.NaN)
    if (value > most) [worst, most] = [at, value]
  }
  return worst < 0 ? undefined : worst
}

/** Words of one cell of a strip; nothing where there is none. */
export function cellText(table: TableModel, scalar: number | undefined, heat: HeatKind, as: 'worst' | 'cell'): string {
  void table.figures.version.value
  if (scalar === undefined) return ''
  const figure = heat === 'rhat' ? 'rhat' : 'ess_bulk'
  const name = heat === 'rhat' ? 'R-hat' : 'bulk ESS'
  const value = table.figures.value(figure, scalar)
  const text = heat === 'rhat' ? value.toFixed(3) : count(value)
  const shown = Number.isNaN(value) ? (table.figures.reason(figure, scalar) ?? 'none').replace('_', ' ') : text
  const label = table.listing.label(scalar)
  return as === 'worst' ? `worst ${name} ${shown}: ${label}` : `${label}: ${name} ${shown}`
}
