/** The tab Overview of a run: the verdict, its chains, their log density, R-hat and ESS of all scalars. */
import { useMemo } from 'preact/hooks'
import { useAllFigures } from '../../run/all-figures.ts'
import type { RunModel } from '../../run/model.ts'
import { useDraws } from '../../run/use-draws.ts'
import { blamedOf, type ChainLp, type Marks, marksOf } from './chain-marks.ts'
import { ChainsCard } from './chains-card.tsx'
import { EssCard } from './ess-card.tsx'
import { type LpScalar, lpOf } from './lp.ts'
import { LpCard } from './lp-card.tsx'
import './overview.css'
import { RhatCard } from './rhat-card.tsx'
import { VerdictCard } from './verdict-card.tsx'

/** Draws of each chain that its mean log density is taken of, at most. */
const LP_DRAWS = 1000

export function OverviewTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  const lp = useMemo(() => (schema === undefined ? undefined : lpOf(schema)), [schema])
  const marks = useMarks(model, lp)
  const warmup = useWarmup(model, lp)
  const figures = useAllFigures(model)
  return (
    <div class="overview">
      <div class="column">
        <VerdictCard model={model} />
        <RhatCard model={model} figures={figures} />
      </div>
      <div class="column">
        <ChainsCard model={model} marks={marks} warmup={warmup} />
        {lp !== undefined && <LpCard model={model} lp={lp} blamed={blamedOf(marks)} />}
        <EssCard model={model} figures={figures} />
      </div>
    </div>
  )
}

function useMarks(model: RunModel, lp: LpScalar | undefined): Marks {
  const { answer } = useDraws(
    model,
    'values',
    lp?.kind === 'lp' ? { scalars: [lp.scalar], choice: { warmup: 'exclude' }, most: LP_DRAWS } : undefined,
  )
  const lps = answer?.chains.map(({ chain, values }): ChainLp => ({ chain, values: values[0] ?? new Float64Array() }))
  return marksOf(model.checks.value, lps ?? [])
}

/** Draws of warmup of each chain, which any trace tells, while somebody wants to know if it is over. */
function useWarmup(model: RunModel, lp: LpScalar | undefined): ReadonlyMap<number, number> {
  const about = model.about.value
  const isAsked = about?.state !== 'done' && model.schema.value?.hasWarmup === true
  const { answer } = useDraws(
    model,
    'trace',
    lp === undefined || !isAsked ? undefined : { scalars: [lp.scalar], choice: { warmup: 'include' }, buckets: 1 },
  )
  return new Map((answer?.[0] ?? []).map(({ chain, warmup }) => [chain, warmup]))
}
