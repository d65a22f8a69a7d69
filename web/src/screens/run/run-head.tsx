/** The head of a run: name, state, size, and what can be done with it. */
import { show } from '../../app/navigate.ts'
import { count } from '../../paint/number.ts'
import { StateBadge } from '../../parts/badges.tsx'
import type { RunModel } from '../../run/model.ts'

export function RunHead({ model }: { readonly model: RunModel }) {
  const about = model.about.value
  const chains = model.chains.value
  const view = model.view.value
  const least = Math.min(...chains.map(({ length }) => length))
  return (
    <header class="run-head">
      <div class="run-name">
        <h1>{about?.name ?? model.rid}</h1>
        {about?.name != null && <code>{model.rid}</code>}
        {about !== undefined && <StateBadge state={about.state} />}
        {about?.tags.map((tag) => (
          <span class="tag" key={tag}>
            {tag}
          </span>
        ))}
      </div>
      <div class="run-facts">
        <span>
          {chains.length === 1 ? '1 chain' : `${chains.length} chains`}
          {chains.length > 0 && ` · n = ${count(least)}`}
        </span>
        <label>
          Numbers of{' '}
          <select
            value={view.convention}
            onChange={(event) => show({ convention: event.currentTarget.value === 'arviz' ? 'arviz' : 'posterior' })}
          >
            <option value="posterior">posterior (R)</option>
            <option value="arviz">ArviZ</option>
          </select>
        </label>
        <button
          type="button"
          aria-pressed={model.isFrozen.value}
          onClick={() => (model.isFrozen.value = !model.isFrozen.value)}
        >
          {model.isFrozen.value ? '▶ Go on' : '⏸ Freeze'}
        </button>
      </div>
    </header>
  )
}
