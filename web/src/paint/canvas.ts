/** The painter on a canvas. */
import { FONT, type Ink, type Painter, type PathSink, type Stroke, TEXT_SIZE, type TextStyle } from './painter.ts'

/** A canvas of the page, or one that is none of it. */
type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D

export class CanvasPainter implements Painter {
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
  }

  path(build: (sink: PathSink) => void, ink: Ink): void {
    this.context.beginPath()
    build(this.context)
    this.apply(ink)
  }

  rect(x: number, y: number, width: number, height: number, ink: Ink): void {
    this.context.beginPath()
    this.context.rect(x, y, width, height)
    this.apply(ink)
  }

  circle(x: number, y: number, radius: number, ink: Ink): void {
    this.context.beginPath()
    this.context.arc(x, y, radius, 0, 2 * Math.PI)
    this.apply(ink)
  }

  line(x1: number, y1: number, x2: number, y2: number, stroke: Stroke): void {
    this.context.beginPath()
    this.context.moveTo(x1, y1)
    this.context.lineTo(x2, y2)
    this.apply(stroke)
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const { context } = this
    const { fill, size = TEXT_SIZE, align = 'start', baseline = 'alphabetic', weight = 400, turn } = style
    context.font = `${weight} ${size}px ${FONT}`
    context.fillStyle = fill
    context.textAlign = align === 'middle' ? 'center' : align
    context.textBaseline = baseline
    if (turn === undefined) context.fillText(text, x, y)
    else {
      context.save()
      context.translate(x, y)
      context.rotate((turn * Math.PI) / 180)
      context.fillText(text, 0, 0)
      context.restore()
    }
  }

  clip(x: number, y: number, width: number, height: number, paint: () => void): void {
    const { context } = this
    context.save()
    context.beginPath()
    context.rect(x, y, width, height)
    context.clip()
    paint()
    context.restore()
  }

  private apply({ fill, stroke, width = 1, dash, opacity = 1 }: Ink): void {
    const { context } = this
    context.globalAlpha = opacity
    if (fill !== undefined) {
      context.fillStyle = fill
      context.fill()
    }
    if (stroke !== undefined) {
      context.strokeStyle = stroke
      context.lineWidth = width
      context.lineJoin = 'round'
      context.setLineDash(dash === undefined ? [] : [...dash])
      context.stroke()
    }
    context.globalAlpha = 1
  }
}
