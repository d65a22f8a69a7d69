/** Choices for the table of variables: its filter, coordinates, order, and the draws of its figures. */
import { useRef } from 'preact/hooks'
import { show, showMore } from '../../app/navigate.ts'
import { useShortcuts } from '../../app/shortcuts.ts'
import { theme } from '../../app/theme.ts'
import { count, percent } from '../../paint/number.ts'
import { ESS_BOUNDS, RHAT_BOUNDS } from '../../plots/heat-strip.ts'
import { CoordsPicker } from './coords-picker.tsx'
import type { TableModel } from './table-model.ts'

const SORTS = [
  ['', 'in order of registration'],
  ['-rhat', 'worst R-hat first'],
  ['ess_bulk', 'least bulk ESS first'],
  ['ess_tail', 'least tail ESS first'],
  ['-pareto_khat', 'greatest k-hat first'],
  ['-mean', 'greatest mean first'],
  ['-sd', 'greatest sd first'],
  ['-mcse_mean', 'greatest MCSE first'],
] as const

const INTERVALS = [
  ['', '89 % equal tails'],
  ['eti:0.5', '50 % equal tails'],
  ['eti:0.95', '95 % equal tails'],
  ['hdi:0.89', '89 % highest density'],
  ['hdi:0.94', '94 % highest density'],
  ['hdi:0.95', '95 % highest density'],
] as const

export function Toolbar({ table, group }: { readonly table: TableModel; readonly group: 'draws' | 'stats' }) {
  const { model, listing, mask } = table
  const { vars, more } = model.view.value
  const field = useRef<HTMLInputElement>(null)
  useShortcuts([{ keys: '/', does: 'filter variables', act: () => field.current?.select() }])
  const shown = mask.value?.reduce((sum, each) => sum + each, 0) ?? listing.count
  const error = table.filterError.value
  const hasGroups = listing.columns.some(({ isGroup }) => isGroup)
  return (
    <div class="v-tools">
      <div class="v-tools-line">
        <input
          ref={field}
          type="search"
          class="v-filter"
          value={vars}
          placeholder="name, /expression/, ~ leaves out"
          aria-label="Filter variables"
          aria-invalid={error !== undefined}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => show({ vars: event.currentTarget.value })}
        />
        {model.schema.value !== undefined && model.schema.value.countOf('stats') > 0 && <Groups group={group} />}
        <CoordsPicker table={table} />
        <Choice label="Order" options={SORTS} value={more.sort ?? ''} onChange={(sort) => showMore({ sort })} />
        <Choice
          label="Interval"
          weight="minor"
          options={INTERVALS}
          value={more.ci ?? ''}
          onChange={(ci) => showMore({ ci })}
        />
        {hasGroups && (
          <Choice
            label="Strips show"
            weight="minor"
            options={[
              ['', 'R-hat'],
              ['ess', 'bulk ESS'],
            ]}
            value={more.heat ?? ''}
            onChange={(heat) => showMore({ heat })}
          />
        )}
      </div>
      {error !== undefined && (
        <p class="v-error" role="alert">
          {error}
        </p>
      )}
      <div class="v-tools-line v-facts">
        <span role="status">
          {shown === listing.count ? count(shown) : `${count(shown)} of ${count(listing.count)}`}{' '}
          {listing.count === 1 ? 'scalar' : 'scalars'}
        </span>
        <RangeChip table={table} />
        <Moment table={table} />
        <span class="gap" />
        {hasGroups && table.sort.value === undefined && <Legend table={table} />}
      </div>
    </div>
  )
}

function Groups({ group }: { readonly group: 'draws' | 'stats' }) {
  return (
    <fieldset class="v-groups">
      <legend class="visually-hidden">Scalars of</legend>
      {(['draws', 'stats'] as const).map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={group === each}
          onClick={() => showMore({ group: each === 'draws' ? undefined : each, sort: undefined, elems: undefined })}
        >
          {each === 'draws' ? 'Variables' : 'Sampler'}
        </button>
      ))}
    </fieldset>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly options: readonly (readonly [value: string, words: string])[]
  readonly value: string
  /** Minor ones are not there on a phone. */
  readonly weight?: 'minor' | undefined
  readonly onChange: (value: string | undefined) => void
}

/** A choice of the address may be none of the list: it is then named as it is. */
function Choice({ label, options, value, weight, onChange }: ChoiceProps) {
  const all = options.some(([each]) => each === value) ? options : [...options, [value, value] as const]
  return (
    <label class={`v-choice ${weight ?? ''}`}>
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value || undefined)}>
        {all.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  )
}

function RangeChip({ table }: { readonly table: TableModel }) {
  const range = table.range.value
  if (range === undefined) return null
  return (
    <button type="button" class="v-chip" onClick={() => showMore({ elems: undefined })}>
      {range.name}, elements {count(range.start)} to {count(range.stop - 1)} <span aria-hidden="true">✕</span>
      <span class="visually-hidden">show all again</span>
    </button>
  )
}

/** The moment of the figures, and how far they are computed. */
function Moment({ table }: { readonly table: TableModel }) {
  const { draws, chains, progress, leftOut, error } = table.figures.state.value
  const { draws: slice, convention } = table.model.view.value
  if (error !== undefined) {
    return (
      <span class="v-error" role="status">
        {error}
      </span>
    )
  }
  if (chains === 0) return <span>figures are on their way …</span>
  const isSliced = slice.start !== undefined || slice.stop !== undefined
  return (
    <>
      <span>
        n = {chains} × {count(draws)}, {convention === 'arviz' ? 'as ArviZ' : 'as R’s posterior'}
        {isSliced && ', of all draws: plots alone are of the chosen ones'}
      </span>
      {leftOut.length > 0 && (
        <span class="v-left-out" title={leftOut.map(({ name, reason }) => `${name}: ${reason}`).join('\n')}>
          {leftOut.length} left out:{' '}
          {leftOut
            .slice(0, 3)
            .map(({ name }) => name)
            .join(', ')}
          {leftOut.length > 3 && ' …'}
        </span>
      )}
      {progress < 1 && (
        <span class="v-progress" role="status">
          <progress {...(progress > 0 && { value: progress })} aria-label="Figures that are computed" />{' '}
          {progress > 0 ? `${percent(progress)} computed` : 'computing figures …'}
        </span>
      )}
    </>
  )
}

function Legend({ table }: { readonly table: TableModel }) {
  const isEss = table.model.view.value.more.heat === 'ess'
  const target = 100 * Math.max(1, table.figures.state.value.chains)
  const texts = isEss
    ? [...ESS_BOUNDS.map((bound) => `≥ ${count(bound * target)}`), 'less']
    : [...RHAT_BOUNDS.map((bound) => `≤ ${bound}`), 'more']
  return (
    <span class="v-legend">
      {isEss ? 'bulk ESS' : 'R-hat'}
      {texts.map((text, i) => (
        <span key={text}>
          <span class={`swatch mark-${i}`} style={{ background: theme.value.heat[i] ?? '' }} aria-hidden="true" />
          {text}
        </span>
      ))}
    </span>
  )
}
