/** The tab Sampler of a run. */
import type { RunModel } from '../../run/model.ts'

export function SamplerTab({ model }: { readonly model: RunModel }) {
  return <p>{model.chains.value.length} chains</p>
}
