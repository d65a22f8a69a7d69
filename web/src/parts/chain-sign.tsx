/** The line by which a chain is known in plots: its colour, and its dash for those who do not see colours. */
import { theme } from '../app/theme.ts'
import { chainLook } from '../paint/theme.ts'

export interface ChainSignProps {
  /** Place of the chain in the order of the run's chains, and how many there are. */
  readonly place: number
  readonly chains: number
  /** Places of chains that stand out among many. */
  readonly blamed?: readonly number[] | undefined
}

export function ChainSign({ place, chains, blamed }: ChainSignProps) {
  const { colour, dash } = chainLook(theme.value, place, chains, blamed)
  return (
    <svg class="chain-sign" width="18" height="10" viewBox="0 0 18 10" aria-hidden="true">
      <line x1="0" y1="5" x2="18" y2="5" stroke={colour} stroke-width="3" stroke-dasharray={dash?.join(' ')} />
    </svg>
  )
}
