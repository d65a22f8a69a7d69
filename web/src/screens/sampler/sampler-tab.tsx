/** The tab Sampler of a run: how it moves, as far as its stats tell. */
import type { ComponentType } from 'preact'
import type { RunModel } from '../../run/model.ts'
import { AcceptanceCard } from './acceptance-card.tsx'
import { DepthCard } from './depth-card.tsx'
import { DivergencesCard } from './divergences-card.tsx'
import { EnergyCard } from './energy-card.tsx'
import { NoStats } from './no-stats.tsx'
import './sampler.css'
import type { StatProps } from './shown.ts'
import { StepSizeCard } from './step-size-card.tsx'
import { StepsCard } from './steps-card.tsx'

interface Section {
  /** ArviZ's name of the stat, and Stan's. */
  readonly stat: string
  readonly stan: string
  readonly noun: string
  readonly width: 'wide' | 'narrow'
  readonly Card: ComponentType<StatProps>
}

const SECTIONS: readonly Section[] = [
  { stat: 'energy', stan: 'energy__', noun: 'energy', width: 'wide', Card: EnergyCard },
  { stat: 'step_size', stan: 'stepsize__', noun: 'step size', width: 'narrow', Card: StepSizeCard },
  { stat: 'tree_depth', stan: 'treedepth__', noun: 'tree depth', width: 'narrow', Card: DepthCard },
  { stat: 'acceptance_rate', stan: 'accept_stat__', noun: 'acceptance rate', width: 'wide', Card: AcceptanceCard },
  { stat: 'n_steps', stan: 'n_leapfrog__', noun: 'count of leapfrog steps', width: 'narrow', Card: StepsCard },
]

export function SamplerTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  if (schema === undefined) return null
  if (!schema.columns.some(({ group }) => group === 'stats')) return <NoStats model={model} />
  const diverging = schema.statsCalled('diverging')
  const found = SECTIONS.map((section) => ({ ...section, stats: schema.statsCalled(section.stat) }))
  const missing = [
    ...(diverging.length > 0 ? [] : [{ noun: 'divergences', stat: 'diverging', stan: 'divergent__' }]),
    ...found.filter(({ stats }) => stats.length === 0),
  ]
  return (
    <div class="sampler">
      {diverging.length > 0 && <DivergencesCard model={model} stats={diverging} />}
      {(['wide', 'narrow'] as const).map((width) => (
        <div key={width} class={`sampler-${width}`}>
          {found
            .filter((section) => section.width === width)
            .flatMap(({ stats, Card }) =>
              stats.map((stat, sampler) => <Card key={stat.name} model={model} stat={stat} sampler={sampler} />),
            )}
        </div>
      ))}
      {missing.length > 0 && (
        <section class="card sampler-missing" aria-label="Stats that are not there">
          {missing.map(({ noun, stat, stan }) => (
            <p key={stat} class="quiet-text">
              This sampler has no {noun}: the run has no stat <code>{stat}</code> (<code>{stan}</code> of Stan).
            </p>
          ))}
        </section>
      )}
    </div>
  )
}
