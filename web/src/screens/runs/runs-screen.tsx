/** The list of runs, which goes on as runs do. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { RunLine } from '../../api/shapes.ts'
import { go } from '../../app/navigate.ts'
import { session } from '../../app/session.ts'
import { type DialogAction, type RunAction, RunDialog, toggleArchived } from '../../run/actions.tsx'
import type { Trouble } from './feed.ts'
import { Filters } from './filters.tsx'
import { FirstRun } from './first-run.tsx'
import { ListModel, MOST_CHOSEN } from './list-model.ts'
import { FIRST_LIST, isFiltered } from './list-view.ts'
import './runs.css'
import { RunsTable } from './runs-table.tsx'

export function RunsScreen() {
  const model = useMemo(() => new ListModel(), [])
  useEffect(() => () => model.close(), [model])
  const [opened, setOpened] = useState<{ readonly action: DialogAction; readonly line: RunLine } | undefined>(undefined)
  const now = session.value
  const isOfOneRun = now.state === 'open' && now.rights.run !== null
  const feed = model.feed.value
  const trouble = feed.trouble.value
  const onChanged = model.changed
  const onAct = (action: RunAction, line: RunLine) => {
    if (action === 'archive') void toggleArchived({ run: line, onChanged })
    else setOpened({ action, line })
  }
  return (
    <div class="runs">
      <h1 class="visually-hidden">Runs</h1>
      {trouble !== undefined && <TroubleWords trouble={trouble} />}
      <Body model={model} isOfOneRun={isOfOneRun} onAct={onAct} />
      <Chosen model={model} />
      {opened !== undefined && (
        <RunDialog
          action={opened.action}
          run={opened.line}
          onChanged={onChanged}
          onDeleted={() => model.drop(opened.line.rid)}
          onClose={() => setOpened(undefined)}
        />
      )}
    </div>
  )
}

interface BodyProps {
  readonly model: ListModel
  readonly isOfOneRun: boolean
  readonly onAct: (action: RunAction, line: RunLine) => void
}

function Body({ model, isOfOneRun, onAct }: BodyProps) {
  const feed = model.feed.value
  const isComplete = feed.isComplete.value
  const view = model.view.value
  if (model.lines.value.length === 0 && !isFiltered(view)) {
    if (!isComplete) return <p class="middle">{feed.trouble.value === undefined ? 'Reading the list …' : ''}</p>
    return isOfOneRun ? <p class="middle">The run of this key is not there, or not yet.</p> : <FirstRun />
  }
  return (
    <>
      {!isOfOneRun && <Filters model={model} />}
      {model.rows.value.length === 0 ? (
        <p class="middle" role="status">
          {isComplete ? (
            <span>
              No run is like this.{' '}
              <button type="button" onClick={() => model.change(FIRST_LIST)}>
                Show all runs
              </button>
            </span>
          ) : (
            'Searching …'
          )}
        </p>
      ) : (
        <RunsTable model={model} canChoose={!isOfOneRun} onAct={onAct} />
      )}
    </>
  )
}

function TroubleWords({ trouble }: { readonly trouble: Trouble }) {
  if (trouble.kind === 'refused') {
    return (
      <p class="away" role="alert">
        The server refuses to search for this: {trouble.problem.message}
      </p>
    )
  }
  const { since } = trouble
  return (
    <p class="away" role="status">
      The server does not answer. It is asked again and again.
      {since !== undefined && ` What you see is of ${new Date(since).toLocaleTimeString()}.`}
    </p>
  )
}

/** The runs that were chosen to be compared. */
function Chosen({ model }: { readonly model: ListModel }) {
  const chosen = model.chosen.value
  if (chosen.length === 0) return null
  const words = chosen.length === 1 ? '1 run chosen: choose another to compare' : `${chosen.length} runs chosen`
  return (
    <div class="chosen" role="status">
      <span>{chosen.length === MOST_CHOSEN ? `${words}, which is as many as can be compared` : words}</span>
      <button type="button" onClick={() => (model.chosen.value = [])}>
        Let go
      </button>
      <button
        type="button"
        class="primary"
        disabled={chosen.length < 2}
        onClick={() => go({ screen: 'compare', runs: chosen, more: {} })}
      >
        Compare
      </button>
    </div>
  )
}
