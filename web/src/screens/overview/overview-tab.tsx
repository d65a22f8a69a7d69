/** The tab Overview of a run. */
import type { RunModel } from '../../run/model.ts'

export function OverviewTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
