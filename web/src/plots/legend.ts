/** Legends: a row of marks with their names, above a plot's frame. */
import type { Painter } from '../paint/painter.ts'
import type { Frame } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'

export interface LegendEntry {
  readonly label: string
  readonly colour: string
  readonly mark: 'line' | 'box' | 'dot' | 'diamond'
  readonly dash?: readonly number[] | undefined
}

/** Pixels above a frame that a legend takes. */
export const LEGEND_ROOM = 22
/** Pixels of a letter, which a painter cannot measure; of a mark; and between entries. */
const LETTER = 6.2
const MARK = 18
const GAP = 12
/** Pixels of the words for entries that are left out. */
const MORE = 64
/** Diamonds with an edge at most. */
const OUTLINED = 300

/** A name that leaves room for others. */
export function shortName(name: string): string {
  const letters = [...name]
  return letters.length > 22 ? `${letters.slice(0, 21).join('')}…` : name
}

/** Entries that fit in one row; what does not is counted at its end. */
export function legend(painter: Painter, frame: Frame, entries: readonly LegendEntry[], theme: Theme): void {
  const y = frame.top - LEGEND_ROOM / 2
  let x = frame.left
  for (const [i, entry] of entries.entries()) {
    const isLast = i === entries.length - 1
    const width = MARK + LETTER * entry.label.length
    if (x + width + (isLast ? 0 : MORE) > frame.right) {
      painter.text(x, y, `+ ${entries.length - i} more`, { fill: theme.quiet, baseline: 'middle' })
      return
    }
    drawMark(painter, x, y, entry, theme)
    painter.text(x + MARK, y, entry.label, { fill: theme.quiet, baseline: 'middle' })
    x += width + GAP
  }
}

function drawMark(painter: Painter, x: number, y: number, { mark, colour, dash }: LegendEntry, theme: Theme): void {
  const middle = x + 7
  if (mark === 'line') painter.line(x, y, x + 14, y, { stroke: colour, width: 2, dash })
  else if (mark === 'box') painter.rect(x + 2, y - 5, 10, 10, { fill: colour, opacity: 0.6 })
  else if (mark === 'dot') painter.circle(middle, y, 3.5, { fill: colour })
  else diamonds(painter, [[middle, y]], 4.5, colour, theme)
}

/** Marks of single draws that stand out of a cloud, by their shape as well as their colour. */
export function diamonds(
  painter: Painter,
  places: readonly (readonly [x: number, y: number])[],
  radius: number,
  colour: string,
  theme: Theme,
): void {
  // Each has an edge of its own, as long as edges would not hide the others.
  const isMany = places.length > OUTLINED
  const shapes = isMany ? [places] : places.map((place) => [place])
  const ink = isMany ? { fill: colour, opacity: 0.8 } : { fill: colour, stroke: theme.paper, width: 0.75 }
  for (const shape of shapes) {
    painter.path((sink) => {
      for (const [x, y] of shape) {
        sink.moveTo(x, y - radius)
        sink.lineTo(x + radius, y)
        sink.lineTo(x, y + radius)
        sink.lineTo(x - radius, y)
        sink.closePath()
      }
    }, ink)
  }
}

/** Entries of chains that have colours of their own; beyond eight, those alone that are blamed. */
export function chainEntries(
  theme: Theme,
  shown: readonly number[],
  all: readonly number[],
  mark: LegendEntry['mark'],
): readonly LegendEntry[] {
  if (all.length > theme.chains.length) return []
  return shown.map((chain) => {
    const { colour, dash } = chainLook(theme, all.indexOf(chain), all.length)
    return { label: `chain ${chain}`, colour, mark, dash: mark === 'line' ? dash : undefined }
  })
}
