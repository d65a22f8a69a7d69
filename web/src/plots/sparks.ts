/** Small pictures of a row of the table: its trace, its distribution, and its ranks. No axes, no words. */
import type { Spark, TracedChain } from '../draws/questions.ts'
import { type Painter, polyline } from '../paint/painter.ts'
import { extentOf, linear } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'

export interface SparkBox {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Numbers of all chains of the run, in order. */
type All = readonly number[]

export function paintSparkTrace(
  painter: Painter,
  box: SparkBox,
  chains: readonly TracedChain[],
  all: All,
  theme: Theme,
): void {
  const first = Math.min(...chains.map(({ at }) => at[0] ?? Number.POSITIVE_INFINITY))
  const last = Math.max(...chains.map(({ at }) => at.at(-1) ?? 0))
  const x = linear([first, last], [box.x, box.x + box.width])
  const y = linear(extentOf(...chains.map(({ values }) => values)), [box.y + box.height - 1, box.y + 1])
  for (const { chain, at, values } of chains) {
    painter.path(
      (sink) =>
        polyline(
          sink,
          at.length,
          (i) => x(at[i] as number),
          (i) => y(values[i] as number),
        ),
      { ...lookOf(theme, chain, all), width: 0.75 },
    )
  }
}

export function paintSparkDensity(
  painter: Painter,
  box: SparkBox,
  density: NonNullable<Spark['density']>,
  all: All,
  theme: Theme,
): void {
  const { x: at, isDiscrete, chains } = density
  const most = Math.max(...density.all, ...(isDiscrete ? [] : chains.map(({ y }) => Math.max(...y))))
  const y = linear([0, most], [box.y + box.height - 0.5, box.y + 1])
  if (isDiscrete) {
    const width = box.width / Math.max(1, at.length)
    for (const [i, share] of density.all.entries()) {
      const [left, top] = [box.x + i * width, y(share)]
      painter.rect(left + width * 0.1, top, width * 0.8, y(0) - top, { fill: theme.accent, opacity: 0.7 })
    }
    return
  }
  const x = linear([at[0] ?? 0, at.at(-1) ?? 1], [box.x, box.x + box.width])
  for (const { chain, y: values } of chains) {
    painter.path(
      (sink) =>
        polyline(
          sink,
          at.length,
          (i) => x(at[i] as number),
          (i) => y(values[i] as number),
        ),
      { ...lookOf(theme, chain, all), width: 1 },
    )
  }
}

/** Differences of ranks within their band: a chain that leaves it is seen at once. */
export function paintSparkRanks(
  painter: Painter,
  box: SparkBox,
  ranks: NonNullable<Spark['ranks']>,
  all: All,
  theme: Theme,
): void {
  const { x: at, lower, upper, chains } = ranks
  const most = 1.1 * Math.max(...upper, ...chains.flatMap(({ difference }) => extentOf(difference).map(Math.abs)))
  const x = linear([0, 1], [box.x, box.x + box.width])
  const y = linear([-most, most], [box.y + box.height - 1, box.y + 1])
  painter.path(
    (sink) => {
      sink.moveTo(x(at[0] ?? 0), y(upper[0] ?? 0))
      for (const [i, value] of upper.entries()) sink.lineTo(x(at[i] as number), y(value))
      for (let i = lower.length - 1; i >= 0; i--) sink.lineTo(x(at[i] as number), y(lower[i] as number))
      sink.closePath()
    },
    { fill: theme.axis, opacity: 0.3 },
  )
  for (const { chain, difference } of chains) {
    painter.path(
      (sink) =>
        polyline(
          sink,
          at.length,
          (i) => x(at[i] as number),
          (i) => y(difference[i] as number),
        ),
      { ...lookOf(theme, chain, all), width: 1 },
    )
  }
}

function lookOf(theme: Theme, chain: number, all: All): { readonly stroke: string; readonly opacity: number } {
  const { colour } = chainLook(theme, all.indexOf(chain), all.length)
  return { stroke: colour, opacity: all.length > 8 ? 0.4 : 0.8 }
}
