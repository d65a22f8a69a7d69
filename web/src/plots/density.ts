/** Densities of a scalar, a curve for each chain: the half of `plot_trace_dist` that has no time; bars for whole numbers. */
import type { Density } from '../draws/questions.ts'
import { count, significant } from '../paint/number.ts'
import { type Painter, polyline } from '../paint/painter.ts'
import { extentOf } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import { type CurveScales, curvePlot, type Series } from './curves.ts'
import type { Plot } from './plot.ts'

export interface DensityOptions {
  /** Name of the scalar. */
  readonly label: string
  readonly density: Density & { readonly brushed?: Float64Array }
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly blamed?: readonly number[] | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function densityPlot(options: DensityOptions): Plot {
  const { label, density, note, python } = options
  const { x, isDiscrete } = density
  const series = isDiscrete ? barsOf(density) : linesOf(options)
  const greatest = extentOf(...series.map(({ y }) => y))[1]
  const [before, behind] = isDiscrete ? edgesOf(density) : [0, 0]
  return curvePlot({
    title: isDiscrete ? `Shares of ${label}` : `Density of ${label}`,
    canonical: 'plot_trace_dist',
    sentence: sentenceOf(options),
    note,
    python,
    labels: { x: label },
    series,
    yAxis: 'hidden',
    x: [(x[0] ?? 0) - before, (x.at(-1) ?? 1) + behind],
    y: [0, greatest > 0 ? greatest * 1.04 : 1],
    below: (painter, scales, theme) => {
      if (isDiscrete) drawBars(painter, scales, options, theme)
      else if (density.brushed !== undefined) fill(painter, scales, x, density.brushed, theme)
    },
    above: (painter, scales, theme) => {
      if (density.brushed === undefined || isDiscrete) return
      const { brushed } = density
      painter.path(
        (sink) =>
          polyline(
            sink,
            x.length,
            (i) => scales.x(x[i] as number),
            (i) => scales.y(brushed[i] as number),
          ),
        { stroke: theme.accent, width: 2.5 },
      )
    },
  })
}

function linesOf({ density, all, blamed = [] }: DensityOptions): Series[] {
  const { x, chains } = density
  const places = blamed.map((each) => all.indexOf(each))
  const lines = chains.map(({ chain, y }): Series => {
    const place = all.indexOf(chain)
    const isFaint = all.length > 8 && !places.includes(place)
    return {
      name: `chain ${chain}`,
      x,
      y,
      look: (theme) => chainLook(theme, place, all.length, places),
      width: isFaint ? 1 : 1.5,
      opacity: isFaint ? 0.45 : 1,
    }
  })
  const more: Series[] = []
  // The density of all comes first, as it is what the cursor reads, where there are too many to tell.
  if (chains.length > 8) more.push({ name: 'all', x, y: density.all, look: ({ ink }) => ({ colour: ink }), width: 2 })
  if (density.brushed !== undefined) {
    more.push({ name: 'chosen', x, y: density.brushed, look: ({ accent }) => ({ colour: accent }), width: 2.5 })
  }
  return [...more, ...lines]
}

/** Bars are drawn by themselves; the series are what the cursor reads. */
function barsOf({ x, chains, all, brushed }: DensityOptions['density']): Series[] {
  const hidden = { mark: 'dots', opacity: 0 } as const
  const look = ({ ink }: Theme) => ({ colour: ink })
  return [
    { name: 'all', x, y: all, look, ...hidden },
    ...(brushed === undefined ? [] : [{ name: 'chosen', x, y: brushed, look, ...hidden }]),
    ...chains.map(({ chain, y }) => ({ name: `chain ${chain}`, x, y, look, ...hidden })),
  ]
}

/** Distance of two neighbouring values: a bar stands for whole numbers from its own on. */
function widthOf({ x, width }: Density): number {
  if (width !== undefined) return width
  let least = Number.POSITIVE_INFINITY
  for (let i = 1; i < x.length; i++) least = Math.min(least, (x[i] as number) - (x[i - 1] as number))
  return Number.isFinite(least) ? least : 1
}

/** Room of a bar before its value and behind it: one of whole numbers from its value on has half a number around them. */
function edgesOf(density: Density): readonly [before: number, behind: number] {
  const width = widthOf(density)
  return density.width === undefined ? [width / 2, width / 2] : [0.5, width - 0.5]
}

/** A bar for all chains at each value, and a tick on it for each chain. */
function drawBars(painter: Painter, { x, y }: CurveScales, options: DensityOptions, theme: Theme): void {
  const { density, all } = options
  const [before, behind] = edgesOf(density)
  const width = Math.max(1, 0.8 * (x(before + behind) - x(0)))
  for (const [i, value] of density.x.entries()) {
    const left = x(value + (behind - before) / 2) - width / 2
    const top = y(density.all[i] ?? 0)
    painter.rect(left, top, width, y(0) - top, { fill: theme.accent, opacity: 0.3 })
    const chosen = density.brushed?.[i]
    if (chosen !== undefined) painter.rect(left, y(chosen), width, y(0) - y(chosen), { stroke: theme.accent, width: 2 })
    if (density.chains.length > 8) continue
    for (const { chain, y: shares } of density.chains) {
      const { colour } = chainLook(theme, all.indexOf(chain), all.length)
      const at = y(shares[i] ?? 0)
      painter.line(left, at, left + width, at, { stroke: colour, width: 2 })
    }
  }
}

function fill(painter: Painter, { x, y }: CurveScales, at: Float64Array, values: Float64Array, theme: Theme): void {
  painter.path(
    (sink) => {
      sink.moveTo(x(at[0] ?? 0), y(0))
      for (const [i, value] of values.entries()) sink.lineTo(x(at[i] as number), y(value))
      sink.lineTo(x(at.at(-1) ?? 0), y(0))
      sink.closePath()
    },
    { fill: theme.accent, opacity: 0.18 },
  )
}

function sentenceOf({ label, density }: DensityOptions): string {
  const { x, all, chains, isDiscrete } = density
  let mode = 0
  for (let i = 1; i < all.length; i++) if ((all[i] as number) > (all[mode] as number)) mode = i
  const many = chains.length === 1 ? '1 chain' : `${count(chains.length)} chains`
  const ends = `between ${significant(x[0] ?? 0)} and ${significant(x.at(-1) ?? 0)}`
  const kind = isDiscrete ? 'Shares of the values' : 'Density'
  return `${kind} of ${label}, ${many}, ${ends}, greatest at ${significant(x[mode] ?? 0)}.`
}
