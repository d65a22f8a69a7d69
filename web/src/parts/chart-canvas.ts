/** The canvas of a chart: as wide as its place, as fine as the screen, painted only while it is in view. */
import { CanvasPainter } from '../paint/canvas.ts'
import type { Size } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import type { Plot } from '../plots/plot.ts'
import { paintNever, paintSoon } from './frames.ts'

export interface Overlay {
  readonly cursor: number | undefined
  /** Pixels of a drag that goes on. */
  readonly dragged: { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number } | undefined
}

interface Shown {
  readonly plot: Plot
  readonly size: Size
  readonly theme: Theme
  readonly overlay: Overlay
}

export class Canvas {
  private readonly below = document.createElement('canvas')
  private readonly above = document.createElement('canvas')
  private shown: Shown | undefined
  private painted: Pick<Shown, 'plot' | 'size' | 'theme'> | undefined
  private isInView = false

  /** Puts the canvas into its place; `resized` learns its width in CSS pixels. */
  attach(place: HTMLElement, resized: (width: number) => void): () => void {
    place.append(this.below, this.above)
    const sizes = new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0)
      if (width > 0) resized(width)
    })
    const views = new IntersectionObserver(
      (entries) => {
        this.isInView = entries.at(-1)?.isIntersecting ?? false
        if (this.isInView) this.paint()
      },
      { rootMargin: '200px' },
    )
    sizes.observe(place)
    views.observe(place)
    return () => {
      sizes.disconnect()
      views.disconnect()
      paintNever(this.paintNow)
      this.below.remove()
      this.above.remove()
      this.painted = undefined
    }
  }

  show(plot: Plot, size: Size, theme: Theme, overlay: Overlay): void {
    this.shown = { plot, size, theme, overlay }
    this.paint()
  }

  private paint(): void {
    if (this.isInView && this.shown !== undefined && this.shown.size.width > 0) paintSoon(this.paintNow)
  }

  private readonly paintNow = () => {
    const { shown, painted } = this
    if (shown === undefined) return
    const { plot, size, theme } = shown
    if (painted?.plot !== plot || painted.size !== size || painted.theme !== theme) {
      const painter = painterOf(this.below, size)
      if (painter !== undefined) plot.draw(painter, size, theme)
      this.painted = { plot, size, theme }
    }
    this.paintOverlay(shown)
  }

  private paintOverlay({ plot, size, theme, overlay: { cursor, dragged } }: Shown): void {
    const painter = painterOf(this.above, size)
    if (painter === undefined) return
    if (cursor !== undefined && cursor < (plot.cursor?.count ?? 0)) plot.cursor?.draw(painter, size, theme, cursor)
    if (dragged !== undefined) {
      const isInterval = plot.brush?.kind !== 'area'
      const [top, height] = isInterval
        ? [0, size.height]
        : [Math.min(dragged.y0, dragged.y1), Math.abs(dragged.y1 - dragged.y0)]
      const [left, width] = [Math.min(dragged.x0, dragged.x1), Math.abs(dragged.x1 - dragged.x0)]
      painter.rect(left, top, width, height, { fill: theme.accent, opacity: 0.15 })
      painter.rect(left, top, width, height, { stroke: theme.accent, dash: [3, 3] })
    }
  }
}

/** An empty canvas of this size. */
export function painterOf(canvas: HTMLCanvasElement, { width, height }: Size): CanvasPainter | undefined {
  const scale = devicePixelRatio || 1
  const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)]
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns
    canvas.height = rows
  }
  const context = canvas.getContext('2d')
  if (context === null) return undefined
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  return new CanvasPainter(context)
}
