/** The screen of one run: its head, its tabs, and the states in which there is nothing to show. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import { TABS, type Tab } from '../../app/place.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import { Lazy } from '../../parts/lazy.tsx'
import { RunModel } from '../../run/model.ts'
import { OverviewTab } from '../overview/overview-tab.tsx'
import { BrushChip } from './brush-chip.tsx'
import { Refused } from './refused.tsx'
import './run.css'
import { RunHead } from './run-head.tsx'

const later = () => import('../later.ts')
const LOAD = {
  // The first tab comes with the run.
  overview: async () => OverviewTab,
  variables: () => later().then(({ VariablesTab }) => VariablesTab),
  sampler: () => later().then(({ SamplerTab }) => SamplerTab),
  pairs: () => later().then(({ PairsTab }) => PairsTab),
  posterior: () => later().then(({ PosteriorTab }) => PosteriorTab),
  data: () => later().then(({ DataTab }) => DataTab),
}

const NAMES: Readonly<Record<Tab, string>> = {
  overview: 'Overview',
  variables: 'Variables',
  sampler: 'Sampler',
  pairs: 'Pairs',
  posterior: 'Posterior',
  data: 'Data',
}

export function RunScreen({ rid }: { readonly rid: string }) {
  const opened = useSignal<RunModel | undefined>(undefined)
  useEffect(() => {
    const model = new RunModel(rid)
    opened.value = model
    // Code comes beside the run, not behind it; a failure is told where the tab is shown.
    void LOAD[model.view.value.tab]().catch(() => undefined)
    return () => model.close()
  }, [rid])
  const model = opened.value
  return model === undefined ? null : <Opened model={model} />
}

/** Milliseconds after which facts, tags and name are asked for again: no event tells of them. */
const ABOUT_MS = 15_000

/** Keeps up with what others write about the run. */
function useNews(model: RunModel): void {
  const draws = model.diagnostics.value?.draws
  useEffect(() => {
    const look = () => {
      const isOpen = model.stage.value.stage === 'open' && model.isConnected.value
      if (isOpen && !model.isFrozen.value && document.visibilityState === 'visible') void model.refreshAbout()
    }
    const timer = setInterval(look, ABOUT_MS)
    return () => clearInterval(timer)
  }, [model])
  useEffect(() => {
    if (draws !== undefined && model.about.value?.diagnostics?.draws !== draws) void model.refreshAbout()
  }, [model, draws])
}

function Opened({ model }: { readonly model: RunModel }) {
  useNews(model)
  useShortcuts([
    {
      keys: 'Space',
      does: 'freeze what is shown, or go on',
      act: () => (model.isFrozen.value = !model.isFrozen.value),
    },
    {
      keys: 'w',
      does: 'show warmup, or leave it out',
      act: () => show({ warmup: model.view.value.warmup === 'include' ? 'exclude' : 'include' }),
    },
    {
      keys: '1 2 3 4 5 6 7 8 9',
      does: 'show the first, second … chain alone, or all',
      act: (key) => chooseChain(model, Number(key)),
    },
    { keys: 'Escape', does: 'let go of draws that were chosen', act: () => (model.brush.value = undefined) },
  ])
  const stage = model.stage.value
  if (stage.stage === 'refused') return <Refused rid={model.rid} problem={stage.problem} />
  if (stage.stage === 'opening') {
    return (
      <p class="middle">
        {model.isConnected.value ? 'Opening the run …' : 'The server does not answer. It is asked again and again.'}
      </p>
    )
  }
  const { tab } = model.view.value
  return (
    <>
      {!model.isConnected.value && (
        <p class="away" role="status">
          The server does not answer; what you see is from before. It is asked again and again.
        </p>
      )}
      {stage.stage === 'gone' && (
        <p class="away" role="alert">
          This run was deleted, or replaced by another of its name. What you see is what was there.{' '}
          <a href="/ui/">All runs</a>
        </p>
      )}
      <RunHead model={model} />
      <Tabs tab={tab} />
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} tabIndex={-1}>
        <Lazy key={tab} load={LOAD[tab]} props={{ model }} />
      </div>
      <BrushChip model={model} />
    </>
  )
}

function Tabs({ tab }: { readonly tab: Tab }) {
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] ?? tab
    show({ tab: next }, 'push')
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="Views of this run" onKeyDown={walk} tabIndex={-1}>
      {TABS.map((each) => (
        <button
          key={each}
          type="button"
          role="tab"
          id={`tab-${each}`}
          aria-selected={each === tab}
          aria-controls={each === tab ? `panel-${each}` : undefined}
          tabIndex={each === tab ? 0 : -1}
          onClick={() => show({ tab: each }, 'push')}
        >
          {NAMES[each]}
        </button>
      ))}
    </div>
  )
}

/** The chain at this place alone; all of them when it was alone already. */
function chooseChain(model: RunModel, place: number): void {
  const chain = model.chains.value[place - 1]?.chain
  if (chain === undefined) return
  const isAlone = model.view.value.chains.join() === String(chain)
  show({ chains: isAlone ? [] : [chain] })
}
