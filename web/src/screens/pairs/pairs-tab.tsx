/** The tab Pairs of a run. */
import type { RunModel } from '../../run/model.ts'

export function PairsTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
