/** The tab Posterior of a run. */
import type { RunModel } from '../../run/model.ts'

export function PosteriorTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
