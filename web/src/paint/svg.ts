/** The painter as the text of an SVG file, which carries all it needs. */
import {
  FONT,
  type Ink,
  type Painter,
  type PathSink,
  type Size,
  type Stroke,
  TEXT_SIZE,
  type TextStyle,
} from './painter.ts'

export interface SvgOptions extends Size {
  /** Name for readers that do not see it. */
  readonly title: string
  readonly description: string
  readonly background: string
}

/** SVG of a drawing; coordinates are rounded to hundredths of a pixel. */
export function toSvg(paint: (painter: Painter) => void, options: SvgOptions): string {
  const painter = new SvgPainter()
  paint(painter)
  const { width, height, title, description, background } = options
  const [w, h] = [number(width), number(height)]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    `<rect width="${w}" height="${h}" fill="${escaped(background)}"/>`,
    ...painter.parts,
    '</svg>\n',
  ].join('\n')
}

class SvgPainter implements Painter {
  readonly parts: string[] = []
  private clips = 0

  path(build: (sink: PathSink) => void, ink: Ink): void {
    const sink = new PathText()
    build(sink)
    if (sink.text !== '') this.parts.push(`<path d="${sink.text}"${attributes(ink)}/>`)
  }

  rect(x: number, y: number, width: number, height: number, ink: Ink): void {
    const place = `x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"`
    this.parts.push(`<rect ${place}${attributes(ink)}/>`)
  }

  circle(x: number, y: number, radius: number, ink: Ink): void {
    this.parts.push(`<circle cx="${number(x)}" cy="${number(y)}" r="${number(radius)}"${attributes(ink)}/>`)
  }

  line(x1: number, y1: number, x2: number, y2: number, stroke: Stroke): void {
    const place = `x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}"`
    this.parts.push(`<line ${place}${attributes(stroke)}/>`)
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const { fill, size = TEXT_SIZE, align = 'start', baseline = 'alphabetic', weight = 400, turn } = style
    const [px, py] = [number(x), number(y)]
    const base = baseline === 'alphabetic' ? '' : ` dominant-baseline="${baseline === 'top' ? 'hanging' : 'central'}"`
    const turned = turn === undefined ? '' : ` transform="rotate(${number(turn)} ${px} ${py})"`
    const font = `font-family="${escaped(FONT)}" font-size="${number(size)}"${weight === 400 ? '' : ` font-weight="${weight}"`}`
    const end = align === 'start' ? '' : ` text-anchor="${align}"`
    this.parts.push(
      `<text x="${px}" y="${py}" fill="${escaped(fill)}" ${font}${end}${base}${turned}>${escaped(text)}</text>`,
    )
  }

  clip(x: number, y: number, width: number, height: number, paint: () => void): void {
    const id = `clip${this.clips++}`
    const place = `x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"`
    this.parts.push(`<clipPath id="${id}"><rect ${place}/></clipPath>`, `<g clip-path="url(#${id})">`)
    paint()
    this.parts.push('</g>')
  }
}

class PathText implements PathSink {
  text = ''

  moveTo(x: number, y: number): void {
    this.text += `M${number(x)},${number(y)}`
  }

  lineTo(x: number, y: number): void {
    this.text += `L${number(x)},${number(y)}`
  }

  closePath(): void {
    this.text += 'Z'
  }

  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    this.text += `C${[x1, y1, x2, y2, x, y].map(number).join()}`
  }

  quadraticCurveTo(x1: number, y1: number, x: number, y: number): void {
    this.text += `Q${[x1, y1, x, y].map(number).join()}`
  }

  /** Arcs of plots are whole circles, or less than half of one. */
  arc(x: number, y: number, radius: number, start: number, end: number): void {
    const at = (angle: number): [number, number] => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)]
    const isWhole = Math.abs(end - start) >= 2 * Math.PI
    const stops = isWhole ? [start, start + Math.PI, start + 2 * Math.PI] : [start, end]
    for (const [i, angle] of stops.entries()) {
      const [px, py] = at(angle)
      this.text += i === 0 ? `M${number(px)},${number(py)}` : `A${[radius, radius, 0, 0, 1, px, py].map(number).join()}`
    }
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.text += `M${number(x)},${number(y)}h${number(width)}v${number(height)}h${number(-width)}Z`
  }
}

function attributes({ fill, stroke, width = 1, dash, opacity = 1 }: Ink): string {
  return [
    ` fill="${fill === undefined ? 'none' : escaped(fill)}"`,
    stroke === undefined ? '' : ` stroke="${escaped(stroke)}"`,
    stroke === undefined || width === 1 ? '' : ` stroke-width="${number(width)}"`,
    stroke === undefined || dash === undefined ? '' : ` stroke-dasharray="${dash.map(number).join(' ')}"`,
    stroke === undefined ? '' : ' stroke-linejoin="round"',
    opacity === 1 ? '' : ` opacity="${number(opacity)}"`,
  ].join('')
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100)
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text as XML may have it: without characters that it knows no way to write. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write these
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .toWellFormed()
      .replaceAll(/[&<>"]/g, (each) => ESCAPES[each] ?? each)
  )
}
