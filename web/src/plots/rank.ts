/** Ranks of each chain's draws among those of all: ECDF differences with a band (`plot_rank`), and bars. */
import type { Ranks } from '../draws/questions.ts'
import { bottomAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import { type Painter, polyline, type Size } from '../paint/painter.ts'
import { type Frame, frameOf, linear, type Scale } from '../paint/scale.ts'
import { type ChainLook, chainLook, type Theme } from '../paint/theme.ts'
import { type CurveScales, curvePlot } from './curves.ts'
import type { Plot } from './plot.ts'

export interface RankOptions {
  /** Name of the scalar. */
  readonly label: string
  readonly ranks: Ranks
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

/** Chains whose ECDF leaves the band somewhere. */
export function chainsOutside({ chains, lower, upper }: Ranks): number[] {
  const isOutside = (difference: Float64Array) =>
    difference.some((value, i) => value < (lower[i] ?? -1) - 1e-12 || value > (upper[i] ?? 1) + 1e-12)
  return chains.filter(({ difference }) => isOutside(difference)).map(({ chain }) => chain)
}

export function rankEcdfPlot(options: RankOptions): Plot {
  const { label, ranks, all, note, python } = options
  const { x, lower, upper, chains } = ranks
  const outside = chainsOutside(ranks)
  return curvePlot({
    title: `Ranks of ${label}`,
    canonical: 'plot_rank',
    sentence: `${label}: ${sentenceOf(outside, chains.length)}`,
    note,
    python,
    labels: { x: 'scaled rank', y: 'Δ ECDF' },
    series: chains.map(({ chain, difference }) => ({
      name: `chain ${chain}`,
      x,
      y: difference,
      look: (theme) => lookOf(theme, chain, all, outside),
      ...(all.length > 8 && !outside.includes(chain) && { opacity: 0.45, width: 1 }),
    })),
    x: [0, 1],
    alsoY: [Math.min(...lower), Math.max(...upper)],
    below: (painter, scales, theme) => drawBand(painter, scales, ranks, theme),
    columns: [
      { name: 'lower', values: lower },
      { name: 'upper', values: upper },
    ],
    place: (at) => `rank ${significant(at, 3)}`,
  })
}

function lookOf(theme: Theme, chain: number, all: readonly number[], blamed: readonly number[]): ChainLook {
  const places = blamed.map((each) => all.indexOf(each))
  return chainLook(theme, all.indexOf(chain), all.length, places)
}

function sentenceOf(outside: readonly number[], chains: number): string {
  if (outside.length === 0) {
    const many = chains === 1 ? 'the chain is' : `all ${chains} chains are`
    return `${many} within the 95 % band that even ranks have.`
  }
  const named = outside.slice(0, 8).join(', ')
  const more = outside.length > 8 ? ` and ${outside.length - 8} more` : ''
  const verb = outside.length === 1 ? 'leaves' : 'leave'
  return `${outside.length === 1 ? 'chain' : 'chains'} ${named}${more} of ${chains} ${verb} the 95 % band that even ranks have.`
}

function drawBand(painter: Painter, { frame, x, y }: CurveScales, ranks: Ranks, theme: Theme): void {
  const { x: at, lower, upper } = ranks
  painter.path(
    (sink) => {
      for (const [i, value] of upper.entries()) {
        if (i === 0) sink.moveTo(x(at[i] as number), y(value))
        else sink.lineTo(x(at[i] as number), y(value))
      }
      for (let i = lower.length - 1; i >= 0; i--) sink.lineTo(x(at[i] as number), y(lower[i] as number))
      sink.closePath()
    },
    { fill: theme.axis, opacity: 0.32 },
  )
  painter.line(frame.left, y(0), frame.right, y(0), { stroke: theme.axis })
}

/** Chains that have bars of their own; others share one row of lines. */
const ROWS = 8

/** Counts of ranks in equal bins, a row for each chain; those that leave the interval of even ranks are darker. */
export function rankBarsPlot(options: RankOptions): Plot {
  const { label, ranks, note } = options
  const { chains, interval, expected } = ranks
  const bins = chains[0]?.bins.length ?? 0
  const far = chains.reduce((sum, each) => sum + each.bins.filter((value) => isFar(value, interval)).length, 0)
  const range = `${significant(interval[0], 3)} to ${significant(interval[1], 3)}`
  return {
    title: `Rank bars of ${label}`,
    sentence: `${label}: ${far} of ${chains.length * bins} bars are outside of ${range}, where 95 % of even ranks are.`,
    note,
    draw: (painter, size, theme) => {
      if (chains.length > ROWS) drawLines(painter, size, options, theme)
      else drawRows(painter, size, options, theme)
    },
    table: () => ({
      columns: ['bin', ...chains.map(({ chain }) => `chain ${chain}`), 'expected'],
      rows: Array.from({ length: bins }, (_none, bin) => [
        bin,
        ...chains.map((chain) => chain.bins[bin] ?? null),
        expected,
      ]),
    }),
    cursor: {
      count: bins,
      nearest: (px, _py, size) => {
        const { left, width } = barsFrame(size)
        return Math.max(0, Math.min(bins - 1, Math.floor(((px - left) / width) * bins)))
      },
      text: (bin) => {
        const told = chains.slice(0, ROWS).map(({ chain, bins: counts }) => `chain ${chain} ${count(counts[bin] ?? 0)}`)
        const more = chains.length > ROWS ? `, ${chains.length - ROWS} more` : ''
        return `ranks ${significant(bin / bins, 2)} to ${significant((bin + 1) / bins, 2)}: ${told.join(', ')}${more}; even: ${significant(expected, 3)}`
      },
      draw: (painter, size, theme, bin) => {
        const { left, top, width, height } = barsFrame(size)
        painter.rect(left + (width * bin) / bins, top, width / bins, height, { stroke: theme.ink })
      },
    },
  }
}

function isFar(value: number, [low, high]: readonly [number, number]): boolean {
  return value < low || value > high
}

function barsFrame(size: Size): Frame {
  return frameOf(size, { left: 60, right: 14, bottom: 36 })
}

function drawRows(painter: Painter, size: Size, { ranks, all }: RankOptions, theme: Theme): void {
  const { chains, interval, expected } = ranks
  const frame = barsFrame(size)
  const most = Math.max(interval[1], ...chains.map(({ bins }) => Math.max(...bins)))
  const height = frame.height / Math.max(1, chains.length)
  for (const [row, { chain, bins }] of chains.entries()) {
    const bottom = frame.top + (row + 1) * height
    const y = linear([0, most], [bottom, bottom - height + 6])
    const width = frame.width / bins.length
    const { colour } = chainLook(theme, all.indexOf(chain), all.length)
    painter.rect(frame.left, y(interval[1]), frame.width, y(interval[0]) - y(interval[1]), { fill: theme.shade })
    for (const [i, value] of bins.entries()) {
      const left = frame.left + i * width
      const opacity = isFar(value, interval) ? 1 : 0.55
      painter.rect(left + 0.5, y(value), width - 1, bottom - y(value), { fill: colour, opacity })
    }
    painter.line(frame.left, y(expected), frame.right, y(expected), { stroke: theme.ink, dash: [3, 3], opacity: 0.6 })
    painter.line(frame.left, bottom, frame.right, bottom, { stroke: theme.axis })
    painter.text(frame.left - 6, bottom - height / 2 + 3, `chain ${chain}`, {
      fill: theme.quiet,
      align: 'end',
      baseline: 'middle',
    })
  }
  bottomAxis(painter, frame, linear([0, 1], [frame.left, frame.right]), theme, { label: 'scaled rank' })
}

function drawLines(painter: Painter, size: Size, { ranks }: RankOptions, theme: Theme): void {
  const { chains, interval, expected } = ranks
  const frame = barsFrame(size)
  const most = Math.max(interval[1], ...chains.map(({ bins }) => Math.max(...bins)))
  const y = linear([0, most * 1.05], [frame.bottom, frame.top])
  const x: Scale = linear([0, 1], [frame.left, frame.right])
  painter.rect(frame.left, y(interval[1]), frame.width, y(interval[0]) - y(interval[1]), { fill: theme.shade })
  painter.line(frame.left, y(expected), frame.right, y(expected), { stroke: theme.axis, dash: [3, 3] })
  for (const { bins } of chains) {
    const far = bins.some((value) => isFar(value, interval))
    painter.path(
      (sink) =>
        polyline(
          sink,
          bins.length,
          (i) => x((i + 0.5) / bins.length),
          (i) => y(bins[i] as number),
        ),
      { stroke: far ? theme.ink : theme.other, opacity: far ? 0.5 : 0.4 },
    )
  }
  bottomAxis(painter, frame, x, theme, { label: 'scaled rank' })
}
