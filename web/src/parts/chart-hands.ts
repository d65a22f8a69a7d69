/** Hands on a chart: its cursor by arrow keys and pointer, choosing by dragging, looking closer by wheel, pinch and keys. */
import type { Signal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { Size } from '../paint/painter.ts'
import type { Plot } from '../plots/plot.ts'
import type { Overlay } from './chart-canvas.ts'

interface Held {
  readonly plot: Signal<Plot>
  readonly size: Signal<Size>
  readonly cursor: Signal<number | undefined>
  readonly dragged: Signal<Overlay['dragged']>
}

/** Pixels that a pointer moves in a click at most. */
const CLICK = 4
const CLOSER = 0.5
/** Share of the width by which Shift and an arrow move the view. */
const PAN = 0.25

export function useHands(held: Held) {
  const start = useRef<{ x: number; y: number; pointer: number } | undefined>(undefined)
  return {
    onKeyDown: (event: KeyboardEvent) => {
      if (onKey(event, held)) event.preventDefault()
    },
    onBlur: () => {
      held.cursor.value = undefined
    },
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0 || held.plot.value.brush === undefined) return
      const { x, y } = placeIn(event)
      start.current = { x, y, pointer: event.pointerId }
    },
    onPointerMove: (event: PointerEvent) => {
      const { x, y } = placeIn(event)
      const from = start.current
      if (from !== undefined && Math.hypot(x - from.x, y - from.y) > CLICK) {
        if (event.currentTarget instanceof Element) event.currentTarget.setPointerCapture(from.pointer)
        held.dragged.value = { x0: from.x, y0: from.y, x1: x, y1: y }
      }
      const { cursor } = held.plot.value
      if (cursor !== undefined && cursor.count > 0) held.cursor.value = cursor.nearest(x, y, held.size.value)
    },
    onPointerUp: () => {
      const area = held.dragged.value
      const wasDown = start.current !== undefined
      start.current = undefined
      held.dragged.value = undefined
      if (wasDown) held.plot.value.brush?.choose(area, held.size.value)
    },
    onPointerCancel: () => {
      start.current = undefined
      held.dragged.value = undefined
    },
    onPointerLeave: (event: PointerEvent) => {
      if (document.activeElement !== event.currentTarget) held.cursor.value = undefined
    },
    onWheel: (event: WheelEvent) => {
      const { zoom } = held.plot.value
      // The page scrolls with a wheel; looking closer takes Ctrl, or a pinch, which browsers tell as that.
      if (zoom === undefined || !event.ctrlKey) return
      event.preventDefault()
      zoom.by(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 100))), placeIn(event).x, held.size.value)
    },
    onDblClick: () => held.plot.value.zoom?.reset(),
  }
}

/** True when the key meant something. */
function onKey({ key, shiftKey }: KeyboardEvent, held: Held): boolean {
  return (shiftKey && onPan(key, held)) || onZoom(key, held) || onWalk(key, shiftKey ? 10 : 1, held)
}

function onPan(key: string, { plot, size }: Held): boolean {
  const { zoom } = plot.value
  const direction = { ArrowLeft: -1, ArrowRight: 1 }[key]
  if (zoom === undefined || direction === undefined) return false
  zoom.pan(direction * PAN * size.value.width, size.value)
  return true
}

function onZoom(key: string, { plot, size }: Held): boolean {
  const { zoom } = plot.value
  if (zoom === undefined || !['+', '=', '-', '0'].includes(key)) return false
  if (key === '0') zoom.reset()
  else zoom.by(key === '-' ? 1 / CLOSER : CLOSER, size.value.width / 2, size.value)
  return true
}

function onWalk(key: string, step: number, { plot, cursor }: Held): boolean {
  const count = plot.value.cursor?.count ?? 0
  if (count === 0) return false
  const at = cursor.value
  const ends: Readonly<Record<string, number>> = { Home: 0, End: count - 1 }
  const steps: Readonly<Record<string, number>> = { ArrowLeft: -step, ArrowRight: step, PageUp: -10, PageDown: 10 }
  if (key === 'Escape' && at !== undefined) {
    cursor.value = undefined
    return true
  }
  const end = ends[key]
  const change = steps[key]
  if (end === undefined && change === undefined) return false
  cursor.value = end ?? Math.max(0, Math.min(count - 1, at === undefined ? 0 : at + (change ?? 0)))
  return true
}

function placeIn(event: MouseEvent): { readonly x: number; readonly y: number } {
  if (!(event.currentTarget instanceof Element)) return { x: 0, y: 0 }
  const { left, top } = event.currentTarget.getBoundingClientRect()
  return { x: event.clientX - left, y: event.clientY - top }
}
