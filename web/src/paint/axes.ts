/** Axes: ticks, their labels, a grid, and names. */
import type { Painter } from './painter.ts'
import type { Frame, Scale, Tick } from './scale.ts'
import { ticksOf } from './scale.ts'
import type { Theme } from './theme.ts'

export interface AxisOptions {
  readonly label?: string | undefined
  /** Ticks to aim at; by the room there is when absent. */
  readonly count?: number | undefined
  readonly ticks?: readonly Tick[] | undefined
  readonly grid?: 'shown' | 'hidden' | undefined
}

/** Pixels between two ticks at least. */
const ROOM = { x: 72, y: 34 }
/** Pixels of a digit, about. */
const LETTER = 6

export function bottomAxis(painter: Painter, frame: Frame, x: Scale, theme: Theme, options: AxisOptions = {}): void {
  const { label, count = Math.max(2, Math.floor(frame.width / ROOM.x)), grid = 'hidden' } = options
  for (const tick of options.ticks ?? ticksOf(x, count)) {
    const at = x(tick.value)
    if (at < frame.left - 0.5 || at > frame.right + 0.5) continue
    if (grid === 'shown') painter.line(at, frame.top, at, frame.bottom, { stroke: theme.grid })
    painter.line(at, frame.bottom, at, frame.bottom + 4, { stroke: theme.axis })
    // A label at the end stays within the picture.
    const isCut = at + (LETTER * tick.label.length) / 2 > frame.right + LETTER * 2
    const style = { fill: theme.quiet, align: isCut ? 'end' : 'middle', baseline: 'top' } as const
    painter.text(isCut ? frame.right + LETTER : at, frame.bottom + 6, tick.label, style)
  }
  painter.line(frame.left, frame.bottom, frame.right, frame.bottom, { stroke: theme.axis })
  if (label !== undefined) {
    const middle = (frame.left + frame.right) / 2
    painter.text(middle, frame.bottom + 19, label, { fill: theme.quiet, align: 'middle', baseline: 'top' })
  }
}

export function leftAxis(painter: Painter, frame: Frame, y: Scale, theme: Theme, options: AxisOptions = {}): void {
  const { label, count = Math.max(2, Math.floor(frame.height / ROOM.y)), grid = 'shown' } = options
  for (const tick of options.ticks ?? ticksOf(y, count)) {
    const at = y(tick.value)
    if (at < frame.top - 0.5 || at > frame.bottom + 0.5) continue
    if (grid === 'shown') painter.line(frame.left, at, frame.right, at, { stroke: theme.grid })
    painter.text(frame.left - 6, at, tick.label, { fill: theme.quiet, align: 'end', baseline: 'middle' })
  }
  if (label !== undefined) {
    const middle = (frame.top + frame.bottom) / 2
    painter.text(11, middle, label, { fill: theme.quiet, align: 'middle', baseline: 'middle', turn: -90 })
  }
}
