/** The tab Data of a run. */
import type { RunModel } from '../../run/model.ts'

export function DataTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
