/** The tab Variables of a run. */
import type { RunModel } from '../../run/model.ts'

export function VariablesTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
