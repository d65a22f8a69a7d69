/** Choice of labels of each dimension: `school: A, C`. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import type { TableModel } from './table-model.ts'

/** Labels that are listed at once; a word finds the others. */
const LISTED = 200

export function CoordsPicker({ table }: { readonly table: TableModel }) {
  const dims = new Map<string, number>()
  for (const { column } of table.listing.columns) {
    if (column.scalars === 0) continue
    for (const [axis, dim] of column.dims.entries()) dims.set(dim, column.shape?.[axis] ?? 0)
  }
  return (
    <>
      {[...dims].map(([dim, length]) => (
        <DimPicker key={dim} table={table} dim={dim} length={length} />
      ))}
    </>
  )
}

interface DimProps {
  readonly table: TableModel
  readonly dim: string
  readonly length: number
}

function DimPicker({ table, dim, length }: DimProps) {
  const root = useRef<HTMLDetailsElement>(null)
  const word = useSignal('')
  const isOpen = useSignal(false)
  const { coords } = table.model.view.value
  const chosen = coords.find(([name]) => name === dim)?.[1] ?? []
  const known = table.schema.coordinates.get(dim)
  useEffect(() => {
    const away = ({ target }: Event) => {
      if (root.current !== null && target instanceof Node && !root.current.contains(target)) root.current.open = false
    }
    addEventListener('pointerdown', away)
    return () => removeEventListener('pointerdown', away)
  }, [])
  const choose = (labels: readonly string[]) => {
    const others = coords.filter(([name]) => name !== dim)
    show({ coords: labels.length === 0 ? others : [...others, [dim, labels]] })
  }
  const labels: string[] = []
  for (let i = 0; isOpen.value && i < length && labels.length < LISTED; i++) {
    const label = known?.[i] ?? String(i)
    if (label.toLowerCase().includes(word.value.toLowerCase())) labels.push(label)
  }
  return (
    <details
      ref={root}
      class="v-dim"
      onToggle={({ currentTarget }) => {
        isOpen.value = currentTarget.open
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || root.current === null) return
        event.stopPropagation()
        root.current.open = false
        root.current.querySelector('summary')?.focus()
      }}
    >
      <summary class="button">
        <span class="v-dim-name">{dim}</span>: {summaryOf(chosen, length)} <span aria-hidden="true">▾</span>
      </summary>
      <div class="v-dim-list">
        {length > 12 && (
          <input
            type="search"
            value={word.value}
            placeholder="find a label"
            aria-label={`Find a label of ${dim}`}
            onInput={(event) => {
              word.value = event.currentTarget.value
            }}
          />
        )}
        <button type="button" class="quiet" disabled={chosen.length === 0} onClick={() => choose([])}>
          all {length}
        </button>
        {labels.map((label) => (
          <label key={label}>
            <input
              type="checkbox"
              checked={chosen.includes(label)}
              onChange={({ currentTarget }) =>
                choose(currentTarget.checked ? [...chosen, label] : chosen.filter((each) => each !== label))
              }
            />
            <span>{label}</span>
          </label>
        ))}
        {labels.length === LISTED && <p class="quiet-text">The first {LISTED} are listed: a word finds the others.</p>}
      </div>
    </details>
  )
}

function summaryOf(chosen: readonly string[], length: number): string {
  if (chosen.length === 0) return `all ${length}`
  return chosen.length <= 2 ? chosen.join(', ') : `${chosen.length} of ${length}`
}
