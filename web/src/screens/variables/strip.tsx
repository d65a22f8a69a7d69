/** The strip of a vector: a cell an element, which is pointed at, opened, or chosen by dragging. */
import { useEffect, useRef } from 'preact/hooks'
import { theme } from '../../app/theme.ts'
import { painterOf } from '../../parts/chart-canvas.ts'
import { paintNever, paintSoon } from '../../parts/frames.ts'
import { elementAt, essGrade, paintHeatStrip, rhatGrade } from '../../plots/heat-strip.ts'
import type { Figures } from '../../run/figures.ts'

export type HeatKind = 'rhat' | 'ess'

export interface StripProps {
  readonly figures: Figures
  /** Scalars of the strip, rising. */
  readonly scalars: readonly number[]
  readonly kind: HeatKind
  /** Chains of the figures. */
  readonly chains: number
  /** Place of the cursor in `scalars`. */
  readonly cursor: number | undefined
  readonly onCursor: (place: number | undefined) => void
  readonly onOpen: (place: number) => void
  /** Places from the first to the last. */
  readonly onChoose: (first: number, last: number) => void
}

const HEIGHT = 26

interface Drag {
  readonly from: number
  to: number
}

export function Strip(props: StripProps) {
  const { figures, scalars, kind, chains, cursor } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const drag = useRef<Drag | undefined>(undefined)
  const colours = theme.value
  const grades = useGrades(props, `${figures.version.value} ${kind} ${chains} ${scalars.length} ${scalars[0]}`)
  const paint = useRef(() => {})
  paint.current = () => {
    const element = canvas.current
    const size = { width: element?.clientWidth ?? 0, height: HEIGHT }
    const painter = element === null || size.width === 0 ? undefined : painterOf(element, size)
    if (painter === undefined) return
    paintHeatStrip(painter, size, { grades, chosen: chosenIn(drag.current), cursor }, colours)
  }
  usePainted(canvas, paint, [grades, cursor, colours])
  return (
    <canvas
      ref={canvas}
      class="strip"
      style={{ height: `${HEIGHT}px` }}
      onPointerMove={(event) => {
        const { x, width } = placeIn(event)
        if (drag.current !== undefined) {
          event.currentTarget.setPointerCapture(event.pointerId)
          drag.current.to = Math.max(0, Math.min(scalars.length - 1, Math.floor((x / width) * scalars.length)))
          paintSoon(paint.current)
        }
        props.onCursor(elementAt({ grades }, x, width))
      }}
      onPointerDown={(event) => {
        const { x, width } = placeIn(event)
        const place = Math.floor((x / width) * scalars.length)
        drag.current = { from: place, to: place }
      }}
      onPointerUp={() => {
        const { from = 0, to = 0 } = drag.current ?? {}
        const wasDown = drag.current !== undefined
        drag.current = undefined
        if (from !== to) props.onChoose(Math.min(from, to), Math.max(from, to))
        else if (wasDown && cursor !== undefined) props.onOpen(cursor)
      }}
      onPointerCancel={() => {
        drag.current = undefined
      }}
      onPointerLeave={() => {
        if (drag.current === undefined) props.onCursor(undefined)
      }}
    />
  )
}

function chosenIn(drag: Drag | undefined): readonly [number, number] | undefined {
  if (drag === undefined || drag.from === drag.to) return undefined
  return [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to) + 1]
}

function placeIn(event: { readonly clientX: number; readonly currentTarget: Element }) {
  const { left, width } = event.currentTarget.getBoundingClientRect()
  return { x: event.clientX - left, width }
}

/** Grades of the elements, computed again when `of` changes. */
function useGrades({ figures, scalars, kind, chains }: StripProps, of: string): Int8Array {
  const kept = useRef({ of: '', grades: new Int8Array() })
  if (kept.current.of !== of) {
    const { values, reasons } = figures.column(kind === 'rhat' ? 'rhat' : 'ess_bulk')
    const grades = Int8Array.from(scalars, (at) => {
      // NaN and infinite ones are the worst there is.
      if ((reasons[at] ?? 0) >= 4) return 4
      const value = values[at] ?? Number.NaN
      return kind === 'rhat' ? rhatGrade(value) : essGrade(value, 100 * chains)
    })
    kept.current = { of, grades }
  }
  return kept.current.grades
}

function usePainted(
  canvas: { readonly current: HTMLCanvasElement | null },
  paint: { readonly current: () => void },
  facts: readonly unknown[],
): void {
  useEffect(() => {
    const now = () => paint.current()
    paintSoon(now)
    return () => paintNever(now)
  }, [...facts])
  useEffect(() => {
    if (canvas.current === null) return
    const sizes = new ResizeObserver(() => paint.current())
    sizes.observe(canvas.current)
    return () => sizes.disconnect()
  }, [])
}
