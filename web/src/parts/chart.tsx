/** A plot on the page: painted when it is in view, with a cursor for keys and pointer, files, and a table behind it. */
import { useComputed, useSignal, useSignalEffect } from '@preact/signals'
import { useEffect, useId, useMemo, useRef } from 'preact/hooks'
import { theme } from '../app/theme.ts'
import type { Size } from '../paint/painter.ts'
import type { Plot } from '../plots/plot.ts'
import './chart.css'
import { ChartActions } from './chart-actions.tsx'
import { Canvas, type Overlay } from './chart-canvas.ts'
import { useHands } from './chart-hands.ts'

export interface ChartProps {
  /** The plot; undefined while its draws are on their way. */
  readonly plot: Plot | undefined
  /** Pixels. */
  readonly height: number
  /** Shown where there is no plot, as “too few draws”. */
  readonly empty?: string | undefined
  /** A small chart has no caption of its own. */
  readonly size?: 'full' | 'small' | undefined
}

export function Chart({ plot, height, empty, size = 'full' }: ChartProps) {
  const name = useId()
  if (plot === undefined || empty !== undefined) {
    return (
      <figure class={`chart ${size}`}>
        {size === 'full' && plot !== undefined && <figcaption class="chart-title">{plot.title}</figcaption>}
        <p class="chart-empty" style={{ height: `${height}px` }}>
          {empty ?? 'Reading draws …'}
        </p>
      </figure>
    )
  }
  return (
    <figure class={`chart ${size}`} aria-labelledby={name}>
      <figcaption class={size === 'full' ? 'chart-title' : 'visually-hidden'}>
        <span id={name}>{plot.title}</span>
        {plot.canonical !== undefined && <code class="canonical">{plot.canonical}</code>}
        <span class="gap" />
        {size === 'full' && <ChartActions plot={plot} height={height} />}
      </figcaption>
      <Stage plot={plot} height={height} />
      {size === 'full' && plot.note !== undefined && <p class="chart-note">{plot.note}</p>}
    </figure>
  )
}

function Stage({ plot, height }: { readonly plot: Plot; readonly height: number }) {
  const root = useRef<HTMLDivElement>(null)
  const sentence = useId()
  const shown = useSignal<Size>({ width: 0, height })
  const cursor = useSignal<number | undefined>(undefined)
  const dragged = useSignal<Overlay['dragged']>(undefined)
  const canvas = useMemo(() => new Canvas(), [])
  const now = useSignal(plot)
  now.value = plot
  const words = useComputed(() => {
    const place = cursor.value
    const walked = now.value.cursor
    return place === undefined || walked === undefined || place >= walked.count ? '' : walked.text(place)
  })

  useEffect(() => {
    const element = root.current
    if (element === null) return
    const stop = canvas.attach(element, (width) => {
      shown.value = { width, height }
    })
    return stop
  }, [height])

  useSignalEffect(() => {
    canvas.show(now.value, shown.value, theme.value, { cursor: cursor.value, dragged: dragged.value })
  })

  const hands = useHands({ plot: now, size: shown, cursor, dragged })
  const { cursor: walked } = plot
  const place = cursor.value ?? 0
  const role =
    walked === undefined || walked.count === 0
      ? ({ role: 'img', 'aria-label': `${plot.title}. ${plot.sentence}` } as const)
      : ({
          role: 'slider',
          tabIndex: 0,
          'aria-label': plot.title,
          'aria-describedby': sentence,
          'aria-valuemin': 0,
          'aria-valuemax': walked.count - 1,
          'aria-valuenow': Math.min(place, walked.count - 1),
          'aria-valuetext': words.value || walked.text(Math.min(place, walked.count - 1)),
        } as const)
  return (
    <div class="chart-stage-box">
      <p class="visually-hidden" id={sentence}>
        {plot.sentence}
      </p>
      <div class="chart-stage" ref={root} style={{ height: `${height}px` }} {...role} {...hands} />
      {words.value !== '' && (
        <output class="chart-words" aria-hidden="true">
          {words.value}
        </output>
      )}
    </div>
  )
}
