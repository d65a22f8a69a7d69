/**
 * The painter: five primitives that every plot is made of, so that one drawing goes to the screen, into an SVG file and into
 * tests. Coordinates and widths are CSS pixels from the top left corner.
 */

/** A part of the canvas' interface for paths: d3's shapes draw into it as well. */
export interface PathSink {
  moveTo(x: number, y: number): void
  lineTo(x: number, y: number): void
  closePath(): void
  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void
  quadraticCurveTo(x1: number, y1: number, x: number, y: number): void
  arc(x: number, y: number, radius: number, start: number, end: number): void
  rect(x: number, y: number, width: number, height: number): void
}

export interface Stroke {
  readonly stroke?: string | undefined
  readonly width?: number | undefined
  /** Lengths of strokes and gaps. */
  readonly dash?: readonly number[] | undefined
  /** 0 to 1. */
  readonly opacity?: number | undefined
}

export interface Ink extends Stroke {
  readonly fill?: string | undefined
}

export interface TextStyle {
  readonly fill: string
  /** Height of the letters. */
  readonly size?: number | undefined
  readonly align?: 'start' | 'middle' | 'end' | undefined
  readonly baseline?: 'top' | 'middle' | 'alphabetic' | undefined
  readonly weight?: 400 | 600 | undefined
  /** Degrees, clockwise, around the place. */
  readonly turn?: number | undefined
}

export interface Painter {
  path(build: (sink: PathSink) => void, ink: Ink): void
  rect(x: number, y: number, width: number, height: number, ink: Ink): void
  circle(x: number, y: number, radius: number, ink: Ink): void
  line(x1: number, y1: number, x2: number, y2: number, stroke: Stroke): void
  text(x: number, y: number, text: string, style: TextStyle): void
  /** Paints nothing outside of the rectangle meanwhile. */
  clip(x: number, y: number, width: number, height: number, paint: () => void): void
}

export interface Size {
  readonly width: number
  readonly height: number
}

/** Family of all texts of plots: the system's. */
export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
export const TEXT_SIZE = 11

/** A line through points; a value that is not finite interrupts it. */
export function polyline(sink: PathSink, count: number, x: (i: number) => number, y: (i: number) => number): void {
  let isDown = false
  for (let i = 0; i < count; i++) {
    const [px, py] = [x(i), y(i)]
    if (!Number.isFinite(px) || !Number.isFinite(py)) isDown = false
    else if (isDown) sink.lineTo(px, py)
    else {
      sink.moveTo(px, py)
      isDown = true
    }
  }
}
