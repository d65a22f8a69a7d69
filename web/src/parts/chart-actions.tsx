/** Things to do with a chart: its table, files of it, and the lines of Python that draw it. */
import { useState } from 'preact/hooks'
import { copy } from '../app/notice.ts'
import { theme } from '../app/theme.ts'
import { CanvasPainter } from '../paint/canvas.ts'
import { toSvg } from '../paint/svg.ts'
import type { Plot, PlotTable } from '../plots/plot.ts'
import { Dialog } from './dialog.tsx'
import { Menu } from './menu.tsx'

/** Pixels of a file's width, and how many dots a pixel of a PNG has. */
const FILE_WIDTH = 800
const PNG_SCALE = 2
/** Rows of a table that are shown; its file has all. */
const SHOWN_ROWS = 500

export function ChartActions({ plot, height }: { readonly plot: Plot; readonly height: number }) {
  const [isTabled, setTabled] = useState(false)
  const size = { width: FILE_WIDTH, height: Math.max(height, 240) }
  const name = plot.title.replaceAll(/[^\p{L}\p{N}_.-]+/gu, '-').slice(0, 100)
  const { python } = plot
  return (
    <>
      <Menu
        label={`Actions of ${plot.title}`}
        items={[
          { label: 'Table of its numbers', act: () => setTabled(true) },
          { label: 'SVG file', act: () => save(svgOf(plot, size), `${name}.svg`) },
          { label: 'PNG file', act: () => void savePng(plot, size, `${name}.png`) },
          { label: 'CSV file', act: () => save(new Blob([csvOf(plot.table())], { type: 'text/csv' }), `${name}.csv`) },
          ...(python === undefined ? [] : [{ label: 'Copy Python', act: () => void copy(python, 'Python lines') }]),
        ]}
      />
      {isTabled && <TableDialog plot={plot} onClose={() => setTabled(false)} />}
    </>
  )
}

function TableDialog({ plot, onClose }: { readonly plot: Plot; readonly onClose: () => void }) {
  const { columns, rows } = plot.table()
  return (
    <Dialog title={plot.title} onClose={onClose} width="wide">
      <p>{plot.sentence}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <section class="scroller" aria-label="Table" tabIndex={0}>
        <table class="plain">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, SHOWN_ROWS).map((row, i) => (
              <tr key={i}>
                {row.map((cell, j) => (
                  <td key={columns[j]}>{cell ?? '–'}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {rows.length > SHOWN_ROWS && (
        <p class="quiet-text">
          The first {SHOWN_ROWS} of {rows.length} rows; the CSV file has all.
        </p>
      )}
    </Dialog>
  )
}

function svgOf(plot: Plot, size: { readonly width: number; readonly height: number }): Blob {
  const colours = theme.value
  const options = { ...size, title: plot.title, description: plot.sentence, background: colours.paper }
  return new Blob([toSvg((painter) => plot.draw(painter, size, colours), options)], { type: 'image/svg+xml' })
}

async function savePng(
  plot: Plot,
  size: { readonly width: number; readonly height: number },
  name: string,
): Promise<void> {
  const canvas = new OffscreenCanvas(size.width * PNG_SCALE, size.height * PNG_SCALE)
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(PNG_SCALE, PNG_SCALE)
  context.fillStyle = theme.value.paper
  context.fillRect(0, 0, size.width, size.height)
  // Its interface is that of a canvas on the page, but for what no plot uses.
  plot.draw(new CanvasPainter(context), size, theme.value)
  save(await canvas.convertToBlob({ type: 'image/png' }), name)
}

/** Gives a file to the browser. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  saveFrom(url, name)
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** Lets the browser fetch a file and put it on the disk, piece by piece. */
export function saveFrom(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
}

/** RFC 4180, with a head. */
export function csvOf({ columns, rows }: PlotTable): string {
  return `${[columns, ...rows].map((row) => row.map(cellOf).join()).join('\r\n')}\r\n`
}

/** A text that a spreadsheet might take for a formula gets an apostrophe, as it is said of CSV files everywhere. */
function cellOf(cell: string | number | null): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
