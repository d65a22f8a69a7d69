/** Search and filters of the list, and what of them is on. */
import { useRef, useState } from 'preact/hooks'
import { useShortcuts } from '../../app/shortcuts.ts'
import { count } from '../../paint/number.ts'
import type { ListModel } from './list-model.ts'
import { isFiltered, type ListView, SHOWN, type Shown, SORTS, type Sort } from './list-view.ts'
import { isNarrow } from './narrow.ts'

const SHOWN_WORDS: Readonly<Record<Shown, readonly [sign: string, word: string]>> = {
  all: ['', 'All'],
  live: ['●', 'Live'],
  problem: ['▲', 'Problem'],
  silent: ['○', 'Silent'],
  done: ['✓', 'Done'],
}

export function Filters({ model }: { readonly model: ListModel }) {
  const view = model.view.value
  const field = useRef<HTMLInputElement>(null)
  const [isOpen, setOpen] = useState(false)
  useShortcuts([{ keys: '/', does: 'search by name or id', act: () => field.current?.focus() }])
  return (
    <search class="filters">
      <div class="filters-line">
        <input
          ref={field}
          type="search"
          aria-label="Search by name or id"
          placeholder="name or id"
          autocomplete="off"
          spellcheck={false}
          value={view.q}
          onInput={(event) => model.change({ q: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' && event.key !== 'Escape') return
            if (event.key === 'Escape') model.change({ q: '' })
            event.currentTarget.blur()
          }}
        />
        <fieldset class="shown" aria-label="States that are shown">
          {SHOWN.map((each) => (
            <button
              key={each}
              type="button"
              class={each}
              aria-pressed={view.shown === each}
              onClick={() => model.change({ shown: each })}
            >
              <span aria-hidden="true">{SHOWN_WORDS[each][0]}</span> {SHOWN_WORDS[each][1]}
            </button>
          ))}
        </fieldset>
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Filter
        </button>
        {isNarrow.value && <SortChoice model={model} />}
        <Counted model={model} />
      </div>
      {isOpen && <FilterForm model={model} />}
      <Chips model={model} />
    </search>
  )
}

function Counted({ model }: { readonly model: ListModel }) {
  const { live, all } = model.counts.value
  const shown = model.rows.value.length
  const isComplete = model.feed.value.isComplete.value
  return (
    <output class="counted">
      {live > 0 && <span class="status live">{count(live)} live</span>}
      {live > 0 && ' · '}
      {all === 1 ? '1 run' : `${count(all)} runs`}
      {!isComplete && ' so far'}
      {shown < all && ` · ${count(shown)} shown`}
    </output>
  )
}

const SORT_WORDS: Readonly<Record<Sort, string>> = {
  state: 'state',
  name: 'name',
  started: 'start',
  chains: 'chains',
  draws: 'draws',
  rate: 'draws a second',
  rhat: 'R-hat',
  ess: 'ESS',
  divergences: 'divergences',
  bfmi: 'E-BFMI',
  eta: 'time to ESS 400',
}

function SortChoice({ model }: { readonly model: ListModel }) {
  const { sort, order } = model.view.value
  return (
    <span class="sort-choice">
      <label>
        <span class="visually-hidden">Sorted by</span>
        <select
          value={sort}
          onChange={(event) => {
            const wanted = SORTS.find((each) => each === event.currentTarget.value)
            if (wanted !== undefined) model.change({ sort: wanted })
          }}
        >
          {SORTS.map((each) => (
            <option key={each} value={each}>
              by {SORT_WORDS[each]}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="icon"
        aria-label={order === 'rising' ? 'Rising; change to falling' : 'Falling; change to rising'}
        onClick={() => model.change({ order: order === 'rising' ? 'falling' : 'rising' })}
      >
        {order === 'rising' ? '↑' : '↓'}
      </button>
    </span>
  )
}

function FilterForm({ model }: { readonly model: ListModel }) {
  const view = model.view.value
  const [tag, setTag] = useState('')
  const [attribute, setAttribute] = useState('')
  const [value, setValue] = useState('')
  const add = () => {
    const tags = tag.trim() === '' || view.tags.includes(tag.trim()) ? view.tags : [...view.tags, tag.trim()]
    const attr = attribute.trim() === '' ? view.attr : [...view.attr, [attribute.trim(), value] as const]
    model.change({ tags, attr })
    setTag('')
    setAttribute('')
    setValue('')
  }
  return (
    <form
      class="filter-form card"
      onSubmit={(event) => {
        event.preventDefault()
        add()
      }}
    >
      <label>
        Tag
        <input type="text" value={tag} autocomplete="off" onInput={(event) => setTag(event.currentTarget.value)} />
      </label>
      <label>
        Attribute
        <input
          type="text"
          value={attribute}
          autocomplete="off"
          placeholder="key"
          onInput={(event) => setAttribute(event.currentTarget.value)}
        />
      </label>
      <label>
        is
        <input
          type="text"
          value={value}
          autocomplete="off"
          placeholder="value"
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={tag.trim() === '' && attribute.trim() === ''}>
        Add
      </button>
      <DayField label="Registered from" value={view.since} onChange={(since) => model.change({ since })} />
      <DayField label="before" value={view.until} onChange={(until) => model.change({ until })} />
      <label>
        Archived
        <select
          value={view.archived}
          onChange={(event) => model.change({ archived: archivedOf(event.currentTarget.value) })}
        >
          <option value="false">left out</option>
          <option value="any">shown as well</option>
          <option value="true">alone</option>
        </select>
      </label>
    </form>
  )
}

interface DayFieldProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
}

function DayField({ label, value, onChange }: DayFieldProps) {
  return (
    <label>
      {label}
      <input
        type="date"
        title="A day, as it begins in UTC"
        value={value.slice(0, 10)}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  )
}

function archivedOf(value: string): ListView['archived'] {
  return value === 'true' || value === 'any' ? value : 'false'
}

/** Filters that are on, each with a way to switch it off. */
function Chips({ model }: { readonly model: ListModel }) {
  const view = model.view.value
  const chips: (readonly [text: string, rest: Partial<ListView>])[] = [
    ...view.tags.map((tag) => [`tag ${tag}`, { tags: view.tags.filter((each) => each !== tag) }] as const),
    ...view.attr.map(
      (each) => [`${each[0]} = ${each[1]}`, { attr: view.attr.filter((other) => other !== each) }] as const,
    ),
    ...(view.since === '' ? [] : [[`from ${view.since}`, { since: '' }] as const]),
    ...(view.until === '' ? [] : [[`before ${view.until}`, { until: '' }] as const]),
    ...(view.archived === 'false'
      ? []
      : [[view.archived === 'true' ? 'archived alone' : 'archived as well', { archived: 'false' }] as const]),
  ]
  if (chips.length === 0 || !isFiltered(view)) return null
  return (
    <ul class="chips" aria-label="Filters that are on">
      {chips.map(([text, rest]) => (
        <li key={text} class="tag">
          <bdi>{text}</bdi>
          <button type="button" class="quiet" aria-label={`Without ${text}`} onClick={() => model.change(rest)}>
            ✕
          </button>
        </li>
      ))}
    </ul>
  )
}
