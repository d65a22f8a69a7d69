/** The log density of all chains, warmup shaded: the first look at whether they are in one place. */
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { TracedChain } from '../../draws/questions.ts'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { tracePlot } from '../../plots/trace.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonForScalars } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import type { LpScalar } from './lp.ts'

/** Pixels of the chart, and buckets of its draws: about half the pixels of its width. */
const HEIGHT = 210
const BUCKETS = 300

export interface LpCardProps {
  readonly model: RunModel
  readonly lp: LpScalar
  readonly blamed: readonly number[]
}

export function LpCard({ model, lp: { scalar, kind }, blamed }: LpCardProps) {
  const zoom = useSignal<readonly [start: number, stop: number] | undefined>(undefined)
  const { chains } = model.view.value
  const window = zoom.value
  const { answer, asked, error } = useDraws(model, 'trace', {
    scalars: [scalar],
    choice: {
      ...(chains.length > 0 && { chains }),
      warmup: 'include',
      ...(window !== undefined && { start: window[0], stop: window[1] }),
    },
    buckets: BUCKETS,
  })
  const traced = answer?.[0]
  const all = model.chains.value.map(({ chain }) => chain)
  const brush = model.brush.value
  const python = pythonForScalars(model, 'plot_trace', [scalar])
  const draw = () =>
    traced === undefined || traced.length === 0
      ? undefined
      : tracePlot({
          title: kind === 'lp' ? 'Log density of all chains' : `Trace of ${scalar.label}`,
          label: scalar.label,
          chains: traced,
          all,
          blamed,
          window: windowOf(asked?.choice.start, asked?.choice.stop, traced),
          brush,
          note: noteOf(kind, traced),
          python,
          onBrush: (interval) => {
            model.brush.value =
              interval === undefined ? undefined : { kind: 'interval', start: interval[0], stop: interval[1] }
          },
          onWindow: (wanted) => {
            zoom.value = wanted
          },
        })
  // Painted anew when there is something new alone.
  const plot = useMemo(draw, [traced, all.join(), blamed.join(), brush, python])
  const empty = error ?? (model.chains.value.every(({ length }) => length === 0) ? 'No draws yet' : undefined)
  return (
    <section class="card lp" aria-label="Log density">
      <Chart plot={plot} height={HEIGHT} empty={plot === undefined ? empty : undefined} />
    </section>
  )
}

function windowOf(
  start: number | undefined,
  stop: number | undefined,
  traced: readonly TracedChain[],
): readonly [number, number] {
  return [start ?? 0, stop ?? Math.max(1, ...traced.map(({ length }) => length))]
}

function noteOf(kind: LpScalar['kind'], traced: readonly TracedChain[]): string {
  const lengths = traced.map(({ length }) => length)
  const isThinned = traced.some(({ at, length }) => at.length < length)
  return [
    ...(kind === 'first' ? ['No stat of this run is a log density; this is its first variable.'] : []),
    `n = ${count(Math.max(...lengths))}`,
    ...(isThinned ? ['≈ first, least, greatest and last of each bucket'] : []),
  ].join(' · ')
}
