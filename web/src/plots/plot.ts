/** The interface of a plot: a drawing, and all that makes it more than a picture. */
import type { Painter, Size } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'

export interface PlotTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

/** Places that a cursor walks, by arrow keys or pointer. */
export interface PlotCursor {
  readonly count: number
  /** The place that is nearest to a pixel. */
  nearest(x: number, y: number, size: Size): number
  /** The place in words, with its numbers: announced, and shown beside it. */
  text(place: number): string
  /** Marks the place. */
  draw(painter: Painter, size: Size, theme: Theme, place: number): void
}

/** Draws that can be chosen by dragging over the plot. */
export interface PlotBrush {
  /** An interval of pixels along x, or an area. */
  readonly kind: 'interval' | 'area'
  /** Called with the pixels of a finished drag, or undefined for a click that lets go. */
  choose(
    area: { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number } | undefined,
    size: Size,
  ): void
}

/** Looking closer: by wheel or pinch, double click, and the keys + and −. */
export interface PlotZoom {
  /** @param factor below 1 looks closer; @param x pixel that stays where it is */
  by(factor: number, x: number, size: Size): void
  /** Moves by pixels. */
  pan(pixels: number, size: Size): void
  reset(): void
}

export interface Plot {
  /** The name, as “Trace of tau”. */
  readonly title: string
  /** ArviZ's name of it, as `plot_trace_dist`; shown in the caption. */
  readonly canonical?: string | undefined
  /** A sentence with what is to be seen, for those who do not. */
  readonly sentence: string
  /** Note below it: n, the moment, thinning. */
  readonly note?: string | undefined
  readonly draw: (painter: Painter, size: Size, theme: Theme) => void
  /** All numbers of the plot: the table behind it, and its CSV file. */
  readonly table: () => PlotTable
  /** Python lines that draw it with ArviZ. */
  readonly python?: string | undefined
  readonly cursor?: PlotCursor | undefined
  readonly brush?: PlotBrush | undefined
  readonly zoom?: PlotZoom | undefined
}
