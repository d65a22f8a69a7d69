/** Plots of one scalar, each asked for when it comes into view. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { showMore } from '../../app/navigate.ts'
import type { Answer, Ask, Kind } from '../../draws/questions.ts'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { autocorrelationPlot } from '../../plots/autocorrelation.ts'
import { densityPlot } from '../../plots/density.ts'
import { essEvolutionPlot } from '../../plots/ess-evolution.ts'
import { essPlot } from '../../plots/ess-local.ts'
import { mcsePlot } from '../../plots/mcse.ts'
import type { Plot } from '../../plots/plot.ts'
import { chainsOutside, rankBarsPlot, rankEcdfPlot } from '../../plots/rank.ts'
import { tracePlot } from '../../plots/trace.ts'
import { pythonFor } from '../../run/python.ts'
import { pythonChoice } from '../../run/python-lines.ts'
import type { NamedScalar } from '../../run/schema.ts'
import { type Answered, useDraws } from '../../run/use-draws.ts'
import type { TableModel } from './table-model.ts'

interface ScalarProps {
  readonly table: TableModel
  readonly scalar: NamedScalar
  /** Place among all scalars. */
  readonly at: number
}

/** Chains that have colours of their own. */
const MANY = 8

const HEIGHT = 240
const TRACE_HEIGHT = 280

export function VariableCharts(own: ScalarProps) {
  const { ref, choice, all } = useScalar(own)
  const ranks = useDraws(own.table.model, 'ranks', { scalar: ref, choice, bins: 20, points: 200 })
  // Among many chains, those whose ranks are uneven stand out everywhere.
  const blamed = all.length > MANY && ranks.answer !== undefined ? chainsOutside(ranks.answer).slice(0, MANY) : []
  const props = { ...own, blamed }
  return (
    <div class="v-charts">
      <Card width="wide">
        <TraceChart {...props} />
      </Card>
      <Card width="third">
        <DensityChart {...props} />
      </Card>
      <RankCharts {...props} answered={ranks} />
      <Card width="third">
        <EssChart {...props} kind="local" />
      </Card>
      <Card width="third">
        <EssChart {...props} kind="quantile" />
      </Card>
      <Card width="third">
        <EvolutionChart {...props} />
      </Card>
      <Card width="half">
        <AutocorrelationChart {...props} />
      </Card>
      <Card width="half">
        <McseChart {...props} />
      </Card>
    </div>
  )
}

/** A card whose content is made when it comes near to what is seen. */
function Card({
  children,
  width,
}: {
  readonly children: ComponentChildren
  readonly width: 'wide' | 'half' | 'third'
}) {
  const root = useRef<HTMLDivElement>(null)
  const [isSeen, setSeen] = useState(false)
  useEffect(() => {
    if (root.current === null || isSeen) return
    const views = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) setSeen(true)
      },
      { rootMargin: '150px' },
    )
    views.observe(root.current)
    return () => views.disconnect()
  }, [isSeen])
  return (
    <div ref={root} class={`card v-card ${width}`}>
      {isSeen ? children : null}
    </div>
  )
}

/** All that the plots of a scalar have in common. */
function useScalar({ table, scalar }: ScalarProps) {
  const { model, schema } = table
  const { group, name, element, label } = scalar
  const call = (plot: string, more = '') => pythonFor(model, `az.${plot}(dt, ${pythonChoice(schema, [scalar])}${more})`)
  return {
    model,
    label,
    ref: { group, name, element },
    choice: model.choice.value,
    convention: model.view.value.convention,
    all: model.chains.value.map(({ chain }) => chain),
    python: call,
  }
}

/** The plot of an answer, or words for why there is none. */
function shown<K extends Kind>(answered: Answered<K>, make: (answer: Answer<K>) => Plot) {
  const { answer, error } = answered
  const plot = answer === undefined ? undefined : make(answer)
  // A picture from before stays, with the error below it.
  return plot === undefined ? { plot, empty: error } : { plot: error === undefined ? plot : { ...plot, note: error } }
}

function windowOf(text: string | undefined): readonly [start: number, stop: number] | undefined {
  const [, start, stop] = /^(\d{1,12}):(\d{1,12})$/.exec(text ?? '') ?? []
  return start !== undefined && Number(stop) > Number(start) ? [Number(start), Number(stop)] : undefined
}

interface BlamedProps extends ScalarProps {
  readonly blamed: readonly number[]
}

function TraceChart(props: BlamedProps) {
  const { model, label, ref, choice, all, python } = useScalar(props)
  const zoomed = windowOf(model.view.value.more.window)
  const within = zoomed === undefined ? choice : { ...choice, start: zoomed[0], stop: zoomed[1] }
  const ask: Ask<'trace'> = { scalars: [ref], choice: within, buckets: 450 }
  const answered = useDraws(model, 'trace', ask)
  const chart = shown(answered, ([chains = []]) => {
    const first = Math.min(...chains.map(({ at }) => at[0] ?? 0))
    const last = Math.max(1, ...chains.map(({ at }) => (at.at(-1) ?? 0) + 1))
    const { start, stop } = answered.asked?.choice ?? {}
    const window = zoomed === undefined || start === undefined || stop === undefined ? [first, last] : [start, stop]
    const [from = 0, to = 1] = window
    const many = chains.reduce((sum, { length }) => sum + Math.max(0, Math.min(length, to) - from), 0)
    const points = chains.reduce((sum, { at }) => sum + at.length, 0)
    return tracePlot({
      title: `Trace of ${label}`,
      label,
      chains,
      all,
      blamed: props.blamed,
      window: [from, to],
      brush: model.brush.value,
      note:
        points < many
          ? `≈ ${count(many)} draws: first, least, greatest and last of each pixel. Look closer for each draw.`
          : `each of ${count(many)} draws`,
      python: python('plot_trace_dist'),
      onBrush: (interval) => {
        model.brush.value =
          interval === undefined ? undefined : { kind: 'interval', start: interval[0], stop: interval[1] }
      },
      onWindow: (wanted) => showMore({ window: wanted === undefined ? undefined : wanted.join(':') }),
    })
  })
  return (
    <>
      <Chart {...chart} height={TRACE_HEIGHT} />
      <TraceButtons plot={chart.plot} isZoomed={zoomed !== undefined} />
      <Chosen table={props.table} />
    </>
  )
}

const SIZE = { width: 800, height: TRACE_HEIGHT }

function TraceButtons({ plot, isZoomed }: { readonly plot: Plot | undefined; readonly isZoomed: boolean }) {
  const zoom = plot?.zoom
  if (zoom === undefined) return null
  return (
    <div class="v-zoom">
      <button type="button" onClick={() => zoom.by(0.5, SIZE.width / 2, SIZE)}>
        Closer
      </button>
      <button type="button" disabled={!isZoomed} onClick={() => zoom.by(2, SIZE.width / 2, SIZE)}>
        Wider
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Earlier draws"
        disabled={!isZoomed}
        onClick={() => zoom.pan(-SIZE.width / 3, SIZE)}
      >
        ←
      </button>
      <button
        type="button"
        class="icon"
        aria-label="Later draws"
        disabled={!isZoomed}
        onClick={() => zoom.pan(SIZE.width / 3, SIZE)}
      >
        →
      </button>
      <button type="button" disabled={!isZoomed} onClick={() => zoom.reset()}>
        All draws
      </button>
      <span class="quiet-text">Drag to choose draws; Ctrl and wheel, or + and −, look closer.</span>
    </div>
  )
}

function Chosen({ table: { model } }: { readonly table: TableModel }) {
  const brush = model.brush.value
  if (brush === undefined) return null
  const many = brush.kind === 'draws' ? brush.chains.reduce((sum, { at }) => sum + at.length, 0) : 0
  return (
    <button type="button" class="v-chip" onClick={() => (model.brush.value = undefined)}>
      {brush.kind === 'interval'
        ? `Chosen: iterations ${count(brush.start)} to ${count(brush.stop - 1)} of each chain`
        : `Chosen: ${count(many)} draws`}{' '}
      <span aria-hidden="true">✕</span>
      <span class="visually-hidden">let go</span>
    </button>
  )
}

/** Draws of each chain that a density and ranks need at least. */
const FEWEST = 4

function DensityChart(props: BlamedProps) {
  const { model, label, ref, choice, all, python } = useScalar(props)
  const brush = model.brush.value
  const answered = useDraws(model, 'density', { scalar: ref, choice, points: 256, brush })
  const chart = shown(answered, (density) =>
    densityPlot({
      label,
      density,
      all,
      blamed: props.blamed,
      python: python('plot_trace_dist'),
      note: keyOf(all, brush !== undefined),
    }),
  )
  const isEmpty = answered.answer !== undefined && answered.answer.x.length === 0
  return <Chart {...chart} {...(isEmpty && { empty: 'too few draws' })} height={TRACE_HEIGHT} />
}

function keyOf(all: readonly number[], isBrushed: boolean): string {
  const lines =
    all.length > 8 ? `${all.length} chains, grey; all, dark` : all.length > 1 ? 'a curve for each chain' : ''
  return [lines, isBrushed ? 'draws that are chosen, filled' : ''].filter((each) => each !== '').join('; ')
}

function RankCharts({ answered, ...props }: ScalarProps & { readonly answered: Answered<'ranks'> }) {
  const { label, all, python } = useScalar(props)
  const draws = answered.answer?.chains[0]?.bins.reduce((sum, each) => sum + each, 0) ?? 0
  const empty = answered.answer !== undefined && !(draws >= FEWEST) ? { empty: 'too few draws' } : {}
  const note = `${count(Math.round(draws))} draws of each chain; the band has 95 % of even ranks, at all places at once`
  const ecdf = shown(answered, (ranks) => rankEcdfPlot({ label, ranks, all, python: python('plot_rank'), note }))
  const bars = shown(answered, (ranks) =>
    rankBarsPlot({ label, ranks, all, note: 'bars outside of what 95 % of even ranks have are darker' }),
  )
  return (
    <>
      <Card width="half">
        <Chart {...ecdf} {...empty} height={HEIGHT} />
      </Card>
      <Card width="half">
        <Chart {...bars} {...empty} height={HEIGHT} />
      </Card>
    </>
  )
}

/** The reason why a scalar has no ESS, in words. */
function whyNone({ table, at }: ScalarProps): string {
  const reason = table.figures.reason('ess_bulk', at)
  if (reason === 'constant') return 'all draws are the same'
  if (reason === 'nan' || reason === 'infinite') return 'there are draws that are not finite'
  return 'too few draws'
}

function emptyOf(props: ScalarProps, values: Float64Array | undefined): { readonly empty?: string } {
  return values?.every(Number.isNaN) ? { empty: whyNone(props) } : {}
}

function EssChart(props: ScalarProps & { readonly kind: 'local' | 'quantile' }) {
  const { kind } = props
  const { model, label, ref, choice, convention, all, python } = useScalar(props)
  const common = { scalar: ref, choice, convention }
  const local = useDraws(model, 'essLocal', kind === 'local' ? { ...common, intervals: 20 } : undefined)
  const quantile = useDraws(model, 'essQuantile', kind === 'quantile' ? { ...common, points: 20 } : undefined)
  const answered = kind === 'local' ? local : quantile
  const chains = model.shownChains.value.length || all.length
  const chart = shown(answered, (curve) =>
    essPlot({ label, kind, curve, target: 100 * chains, python: python('plot_ess', `, kind="${kind}"`) }),
  )
  return <Chart {...chart} {...emptyOf(props, answered.answer?.y)} height={HEIGHT} />
}

function EvolutionChart(props: ScalarProps) {
  const { model, label, ref, choice, convention, all, python } = useScalar(props)
  const answered = useDraws(model, 'essEvolution', { scalar: ref, choice, convention, points: 20 })
  const chains = model.shownChains.value.length || all.length
  const chart = shown(answered, (evolution) =>
    essEvolutionPlot({
      title: `ESS evolution of ${label}`,
      label,
      evolution,
      target: 100 * chains,
      python: python('plot_ess_evolution'),
    }),
  )
  return <Chart {...chart} {...emptyOf(props, answered.answer?.bulk)} height={HEIGHT} />
}

const LAGS = 100

function AutocorrelationChart(props: ScalarProps) {
  const { model, label, ref, choice, all, python } = useScalar(props)
  const answered = useDraws(model, 'autocorrelation', { scalar: ref, choice, lags: LAGS })
  const draws = Math.min(...model.shownChains.value.map(({ length }) => length))
  const chart = shown(answered, (chains) =>
    autocorrelationPlot({
      label,
      chains,
      draws,
      all,
      note: 'the band has 95 % of independent draws’',
      python: python('plot_autocorr'),
    }),
  )
  const isNone = answered.answer?.every(({ rho }) => rho.length < FEWEST || Number.isNaN(rho[0])) ?? false
  return <Chart {...chart} {...(isNone && { empty: whyNone(props) })} height={HEIGHT} />
}

function McseChart(props: ScalarProps) {
  const { model, label, ref, choice, convention, python } = useScalar(props)
  const answered = useDraws(model, 'mcseQuantile', { scalar: ref, choice, convention, points: 20 })
  const chart = shown(answered, (mcse) => mcsePlot({ label, mcse, python: python('plot_mcse') }))
  return <Chart {...chart} {...emptyOf(props, answered.answer?.y)} height={HEIGHT} />
}
