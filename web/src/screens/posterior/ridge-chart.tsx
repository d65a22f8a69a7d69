/** The ridge of one page of scalars: their densities come one after the other. */
import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { Density } from '../../draws/questions.ts'
import { Chart } from '../../parts/chart.tsx'
import { ridgeHeight, ridgePlot } from '../../plots/ridge.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonForScalars } from '../../run/python.ts'
import type { NamedScalar } from '../../run/schema.ts'

const POINTS = 160

interface Found {
  readonly densities: ReadonlyMap<string, Density>
  readonly error: string | undefined
}

export function Ridge({ model, scalars }: { readonly model: RunModel; readonly scalars: readonly NamedScalar[] }) {
  const { densities, error } = useDensities(model, scalars)
  const plot = useMemo(() => {
    if (densities.size === 0) return undefined
    const rows = scalars.map(({ label }) => ({ label, density: densities.get(label) }))
    const python = pythonForScalars(model, 'plot_ridge', scalars)
    return ridgePlot({ title: 'Ridge', rows, note: 'Densities of all chains together.', python })
  }, [densities, scalars.map(({ label }) => label).join('\n')])
  return <Chart plot={plot} height={ridgeHeight(scalars.length)} empty={error} />
}

function useDensities(model: RunModel, scalars: readonly NamedScalar[]): Found {
  const found = useSignal<Found>({ densities: new Map(), error: undefined })
  const choice = model.choice.value
  const link = model.draws.value
  const moment = model.moment.value
  const asked = JSON.stringify([choice, scalars.map(({ label }) => label)])
  useEffect(() => {
    found.value = { densities: new Map(), error: undefined }
  }, [asked])
  useEffect(() => {
    if (link === undefined) return
    const stop = new AbortController()
    const ask = async () => {
      const fresh = new Map<string, Density>()
      for (const { group, name, element, label } of scalars) {
        const scalar = { group, name, element }
        fresh.set(label, await link.ask('density', { scalar, choice, points: POINTS }, stop.signal))
      }
      found.value = { densities: fresh, error: undefined }
    }
    ask().catch((error: unknown) => {
      if (stop.signal.aborted) return
      found.value = { ...found.value, error: error instanceof Error ? error.message : String(error) }
    })
    return () => stop.abort()
  }, [asked, link, moment])
  return found.value
}
