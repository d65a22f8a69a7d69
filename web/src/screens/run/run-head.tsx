/** The head of a run: name, state, size, what counts, and what can be done with it. */
import { useState } from 'preact/hooks'
import { go, show } from '../../app/navigate.ts'
import { copy } from '../../app/notice.ts'
import { session } from '../../app/session.ts'
import { count, duration, percent } from '../../paint/number.ts'
import { StateBadge } from '../../parts/badges.tsx'
import { Menu } from '../../parts/menu.tsx'
import { type DialogAction, possibleActions, RunDialog, RunMenu, toggleArchived } from '../../run/actions.tsx'
import { useClock } from '../../run/clock.ts'
import type { RunModel } from '../../run/model.ts'
import { expectedOf, progressOf, stateOf } from '../../run/progress.ts'
import { pythonOf } from '../../run/python.ts'
import { pythonReading } from '../../run/python-lines.ts'
import { ChainChips } from './chain-chips.tsx'
import { saveChecks, saveNetcdf, saveSummary } from './export-run.ts'

export function RunHead({ model }: { readonly model: RunModel }) {
  const about = model.about.value
  return (
    <header class="run-head">
      <div class="run-name">
        <h1>{about?.name ?? model.rid}</h1>
        {about?.name != null && <code>{model.rid}</code>}
        <State model={model} />
        {about?.archived === true && <span class="tag">archived</span>}
        {about?.tags.map((tag) => (
          <span class="tag" key={tag} title={tag}>
            {tag}
          </span>
        ))}
      </div>
      <Actions model={model} />
      <div class="run-facts">
        <Size model={model} />
        <Progress model={model} />
      </div>
      <Choices model={model} />
    </header>
  )
}

function State({ model }: { readonly model: RunModel }) {
  const now = useClock()
  const about = model.about.value
  if (about === undefined) return null
  if (model.stage.value.stage === 'gone') return <span class="status bad">✗ deleted</span>
  return <StateBadge state={stateOf(about, model.chains.value, (chain) => model.rates.heardAt(chain), now)} />
}

/** Size of the run, and the moment of its numbers. */
function Size({ model }: { readonly model: RunModel }) {
  const lengths = model.chains.value.map(({ length }) => length)
  if (lengths.length === 0) return <span>no chain yet</span>
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)]
  return (
    <>
      <span>
        {lengths.length === 1 ? '1 chain' : `${lengths.length} chains`} · n ={' '}
        {least === most ? count(most) : `${count(least)} … ${count(most)}`}
      </span>
      <span aria-live="off">{momentText(model.checks.value?.draws, model.checkedAt.value)}</span>
    </>
  )
}

function momentText(draws: number | undefined, at: number | undefined): string {
  if (draws === undefined || at === undefined) return 'numbers are being computed …'
  if (draws === 0) return 'no numbers yet: no draws behind warmup'
  return `numbers at ${count(draws)} draws a chain behind warmup, ${timeText(at)}`
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString([], { hour12: false })
}

function Progress({ model }: { readonly model: RunModel }) {
  const now = useClock()
  const about = model.about.value
  const expected = about === undefined ? undefined : expectedOf(about.facts)
  const chains = model.chains.value
  if (about === undefined || expected === undefined || chains.length === 0) return null
  const { share, seconds } = progressOf(chains, expected, (chain) => model.rates.of(chain, now))
  if (share >= 1 || about.state === 'done') return null
  const left = seconds === undefined ? '' : `, ${duration(seconds)} left`
  const text = `${percent(share)} of ${count(expected.draws + expected.warmup)}${left}`
  return (
    <span class="run-progress">
      <progress value={share} aria-label="Progress of all chains" />
      {text}
    </span>
  )
}

function Choices({ model }: { readonly model: RunModel }) {
  const { convention, warmup, draws } = model.view.value
  return (
    <div class="run-choices">
      <ChainChips model={model} />
      {model.schema.value?.hasWarmup === true && (
        <button
          type="button"
          class="chip"
          aria-pressed={warmup === 'include'}
          title="Warmup draws count in numbers and plots (w)"
          onClick={() => show({ warmup: warmup === 'include' ? 'exclude' : 'include' })}
        >
          with warmup
        </button>
      )}
      {(draws.start !== undefined || draws.stop !== undefined) && (
        <button type="button" class="chip" aria-label="All iterations again" onClick={() => show({ draws: {} })}>
          iterations {draws.start ?? 0} to {draws.stop ?? 'the end'} ✕
        </button>
      )}
      <label>
        Numbers of{' '}
        <select
          value={convention}
          onChange={(event) => show({ convention: event.currentTarget.value === 'arviz' ? 'arviz' : 'posterior' })}
        >
          <option value="posterior">posterior (R)</option>
          <option value="arviz">ArviZ</option>
        </select>
      </label>
    </div>
  )
}

function Actions({ model }: { readonly model: RunModel }) {
  const [open, setOpen] = useState<DialogAction | undefined>(undefined)
  const run = model.about.value
  if (run === undefined) return null
  const props = {
    run,
    onChanged: (about: typeof run) => {
      model.about.value = about
    },
    onDeleted: () => go({ screen: 'runs', query: [] }),
  }
  const isGone = model.stage.value.stage === 'gone'
  return (
    <div class="run-actions">
      <Freeze model={model} />
      {!isGone && <Share onShare={() => setOpen('share')} />}
      <button
        type="button"
        title="Copies lines of Python that read this run"
        onClick={() => void copy(pythonReading(pythonOf(model)), 'Python lines')}
      >
        Python
      </button>
      {!isGone && (
        <Menu
          label="Export"
          sign="Export ▾"
          items={[
            { label: 'Summary of all scalars (CSV)', act: () => void saveSummary(model) },
            { label: 'Checks (JSON)', act: () => void saveChecks(model) },
            { label: 'All draws (netCDF)', act: () => void saveNetcdf(model) },
          ]}
        />
      )}
      {!isGone && (
        <RunMenu run={run} onAct={(action) => (action === 'archive' ? void toggleArchived(props) : setOpen(action))} />
      )}
      {open !== undefined && <RunDialog {...props} action={open} onClose={() => setOpen(undefined)} />}
    </div>
  )
}

function Freeze({ model }: { readonly model: RunModel }) {
  const isFrozen = model.isFrozen.value
  return (
    <button
      type="button"
      aria-pressed={isFrozen}
      title={isFrozen ? 'Shows what has come meanwhile (space)' : 'Keeps what is shown as it is (space)'}
      onClick={() => (model.isFrozen.value = !isFrozen)}
    >
      {isFrozen ? '▶ Go on' : '❚❚ Freeze'}
    </button>
  )
}

/** A link with a key of its own where there are keys; where there are none, the address is enough. */
function Share({ onShare }: { readonly onShare: () => void }) {
  const now = session.value
  if (now.state === 'open' && now.rights.key === null) {
    return (
      <button type="button" title="Copies the address of this view" onClick={() => void copy(location.href, 'Link')}>
        Copy link
      </button>
    )
  }
  if (!possibleActions().includes('share')) return null
  return (
    <button type="button" onClick={onShare}>
      Share
    </button>
  )
}
