/** A statistic of replications as a histogram, and that of the data in it, with its posterior predictive p-value (`plot_ppc_tstat`). */
import { bin } from 'd3-array'
import { bottomAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import type { Size } from '../paint/painter.ts'
import { extentOf, frameOf, linear } from '../paint/scale.ts'
import type { Plot } from './plot.ts'

export interface TestStatisticOptions {
  /** Name of the statistic, as “mean”, and of the data. */
  readonly statistic: string
  readonly observed: string
  readonly data: number
  /** One for each replication. */
  readonly replications: Float64Array
  readonly note?: string | undefined
  readonly python?: string | undefined
}

/** Share of replications whose statistic is at least that of the data, where ties count half. */
export function pValue(data: number, replications: Float64Array): number {
  let above = 0
  for (let i = 0; i < replications.length; i++) {
    const each = replications[i] as number
    above += each > data ? 1 : each === data ? 0.5 : 0
  }
  return above / replications.length
}

const BINS = 30

interface Bin {
  readonly from: number
  readonly to: number
  readonly count: number
}

function binsOf(values: Float64Array): readonly Bin[] {
  const bins = bin().thresholds(BINS)([...values])
  return bins.map(({ x0 = 0, x1 = 0, length }) => ({ from: x0, to: x1, count: length }))
}

function scalesFor({ replications, data }: TestStatisticOptions, bins: readonly Bin[], size: Size) {
  const frame = frameOf(size, { left: 12, right: 12, top: 24, bottom: 36 })
  const [low, high] = extentOf(replications, [data])
  const [least, greatest] = [Math.min(low, bins[0]?.from ?? low), Math.max(high, bins.at(-1)?.to ?? high)]
  const most = Math.max(1, ...bins.map((each) => each.count))
  return {
    frame,
    x: linear([least, greatest], [frame.left, frame.right]),
    y: linear([0, 1.04 * most], [frame.bottom, frame.top]),
  }
}

export function testStatisticPlot(options: TestStatisticOptions): Plot {
  const { statistic, observed, data, replications, note, python } = options
  const share = pValue(data, replications)
  const bins = binsOf(replications)
  const scalesOf = (size: Size) => scalesFor(options, bins, size)
  return {
    title: `${statistic} of ${observed}`,
    canonical: 'plot_ppc_tstat',
    sentence: `The ${statistic} of the data is ${significant(data)}; those of ${count(replications.length)} replications are between ${significant(extentOf(replications)[0])} and ${significant(extentOf(replications)[1])}, ${significant(100 * share, 2)} % of them at least as large (p = ${significant(share, 2)}).`,
    note,
    python,
    draw: (painter, size, theme) => {
      const { frame, x, y } = scalesOf(size)
      for (const each of bins) {
        const left = x(each.from)
        painter.rect(left, y(each.count), Math.max(1, x(each.to) - left - 1), frame.bottom - y(each.count), {
          fill: theme.accent,
          opacity: 0.4,
        })
      }
      bottomAxis(painter, frame, x, theme, { label: `${statistic} of ${observed}` })
      painter.line(x(data), frame.top - 4, x(data), frame.bottom, { stroke: theme.ink, width: 2 })
      const isLeft = x(data) > (frame.left + frame.right) / 2
      painter.text(
        x(data) + (isLeft ? -6 : 6),
        frame.top - 8,
        `observed ${significant(data)}, p = ${significant(share, 2)}`,
        {
          fill: theme.ink,
          align: isLeft ? 'end' : 'start',
          weight: 600,
        },
      )
    },
    table: () => ({
      columns: ['from', 'to', 'replications'],
      rows: bins.map(({ from, to, count: many }) => [from, to, many]),
    }),
    cursor: {
      count: bins.length,
      nearest: (px, _py, size) => {
        const { x } = scalesOf(size)
        const distances = bins.map(({ from, to }) => Math.abs(x((from + to) / 2) - px))
        return Math.max(0, distances.indexOf(Math.min(...distances)))
      },
      text: (place) => {
        const each = bins[place]
        return each === undefined
          ? ''
          : `${statistic} ${significant(each.from)} to ${significant(each.to)}: ${count(each.count)} replications`
      },
      draw: (painter, size, theme, place) => {
        const { frame, x } = scalesOf(size)
        const each = bins[place]
        if (each === undefined) return
        painter.rect(x(each.from), frame.top, x(each.to) - x(each.from), frame.height, {
          fill: theme.accent,
          opacity: 0.12,
        })
      },
    },
  }
}
