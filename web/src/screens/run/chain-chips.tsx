/** Chains that count: each a button that leaves it out, or takes it in again. */
import { useEffect, useRef } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import { ChainSign } from '../../parts/chain-sign.tsx'
import { alone, toggled } from '../../run/chosen-chains.ts'
import type { RunModel } from '../../run/model.ts'

/** More chains than stand beside each other in the head. */
const FEW = 8

export function ChainChips({ model }: { readonly model: RunModel }) {
  const all = model.chains.value.map(({ chain }) => chain)
  const { chains: chosen } = model.view.value
  if (all.length < 2) return null
  const chips = (
    <fieldset class="chain-chips">
      <legend class="visually-hidden">Chains that count</legend>
      {all.map((chain, place) => (
        <Chip key={chain} chain={chain} place={place} all={all} chosen={chosen} />
      ))}
    </fieldset>
  )
  if (all.length <= FEW) return chips
  const isAll = chosen.length === 0
  return (
    <Folded title={isAll ? `all ${all.length} chains` : `${chosen.length} of ${all.length} chains`}>
      {chips}
      <button type="button" disabled={isAll} onClick={() => show({ chains: [] })}>
        All chains
      </button>
    </Folded>
  )
}

interface ChipProps {
  readonly chain: number
  readonly place: number
  readonly all: readonly number[]
  readonly chosen: readonly number[]
}

function Chip({ chain, place, all, chosen }: ChipProps) {
  const isIn = chosen.length === 0 || chosen.includes(chain)
  return (
    <button
      type="button"
      class="chip"
      aria-pressed={isIn}
      aria-label={`Chain ${chain}`}
      title={`Chain ${chain}: click to ${isIn ? 'leave it out' : 'take it in'}, double click for it alone`}
      onClick={() => show({ chains: toggled(chosen, all, chain) })}
      onDblClick={() => show({ chains: alone([], chain) })}
    >
      <ChainSign place={place} chains={all.length} />
      {chain}
    </button>
  )
}

/** A list behind a button, which a click elsewhere or Escape closes. */
function Folded({ title, children }: { readonly title: string; readonly children: preact.ComponentChildren }) {
  const element = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const away = (event: Event) => {
      const { current } = element
      if (current !== null && event.target instanceof Node && !current.contains(event.target)) current.open = false
    }
    addEventListener('pointerdown', away)
    return () => removeEventListener('pointerdown', away)
  }, [])
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || element.current?.open !== true) return
    event.preventDefault()
    event.stopPropagation()
    element.current.open = false
    element.current.querySelector('summary')?.focus()
  }
  return (
    <details class="folded" ref={element} onKeyDown={onKeyDown}>
      <summary>{title}</summary>
      <div class="folded-list">{children}</div>
    </details>
  )
}
