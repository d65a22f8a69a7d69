/** Autocorrelations of each chain by lag (`plot_autocorr`), with the band in which 95 % of independent draws' are. */
import type { Answer } from '../draws/questions.ts'
import { significant } from '../paint/number.ts'
import { chainLook } from '../paint/theme.ts'
import { curvePlot } from './curves.ts'
import type { Plot } from './plot.ts'

export interface AutocorrelationOptions {
  /** Name of the scalar. */
  readonly label: string
  readonly chains: Answer<'autocorrelation'>
  /** Draws of each chain. */
  readonly draws: number
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function autocorrelationPlot(options: AutocorrelationOptions): Plot {
  const { label, chains, draws, all, note, python } = options
  const lags = Math.max(1, ...chains.map(({ rho }) => rho.length)) - 1
  const x = Float64Array.from({ length: lags + 1 }, (_none, lag) => lag)
  const half = 1.96 / Math.sqrt(Math.max(1, draws))
  return curvePlot({
    title: `Autocorrelation of ${label}`,
    canonical: 'plot_autocorr',
    sentence: sentenceOf(options, half),
    note,
    python,
    labels: { x: 'lag', y: 'autocorrelation' },
    x: [0, Math.max(1, lags)],
    alsoY: [-0.2, 1],
    series: chains.map(({ chain, rho }) => {
      const place = all.indexOf(chain)
      return {
        name: `chain ${chain}`,
        x,
        y: rho,
        look: (theme) => chainLook(theme, place, all.length),
        ...(all.length > 8 && { opacity: 0.45, width: 1 }),
      }
    }),
    below: (painter, { frame, y }, theme) => {
      painter.rect(frame.left, y(half), frame.width, y(-half) - y(half), { fill: theme.axis, opacity: 0.32 })
      painter.line(frame.left, y(0), frame.right, y(0), { stroke: theme.axis })
    },
    place: (lag) => `lag ${lag}`,
  })
}

/** Lag from which on a chain stays within the band for a while; undefined where it does not. */
function settledAt(rho: Float64Array, half: number): number | undefined {
  for (let lag = 1; lag < rho.length; lag++) if (Math.abs(rho[lag] as number) <= half) return lag
  return undefined
}

function sentenceOf({ label, chains }: AutocorrelationOptions, half: number): string {
  const known = chains.filter(({ rho }) => !Number.isNaN(rho[1]))
  if (known.length === 0) return `${label}: no autocorrelation, as its draws are too few or all the same.`
  const first = known.map(({ rho }) => rho[1] ?? 0)
  const range =
    known.length === 1 || Math.max(...first) - Math.min(...first) < 0.005
      ? significant(first[0] ?? 0, 2)
      : `${significant(Math.min(...first), 2)} to ${significant(Math.max(...first), 2)}`
  const lags = known.map(({ rho }) => settledAt(rho, half))
  const last = Math.max(...lags.map((lag) => lag ?? 0))
  const end = lags.includes(undefined)
    ? `${lags.filter((lag) => lag === undefined).length} of ${known.length} chains do not reach what independent draws have.`
    : `from lag ${last} on, each has been where independent draws are.`
  return `${label}: autocorrelation ${range} at lag 1; ${end}`
}
