/** A run without sampler stats, and how they are sent. */
import type { RunModel } from '../../run/model.ts'

const REGISTERED = `run = client.create_run(
    variables={"theta": np.zeros(8)},
    sample_stats={"energy": 0.0, "diverging": False, "tune": False},
)
chain = run.init_chain(0)
chain.append({"theta": theta}, {"energy": energy, "diverging": diverging, "tune": tune})`

export function NoStats({ model }: { readonly model: RunModel }) {
  return (
    <section class="card sampler-none">
      <h2>This run has no sampler stats</h2>
      <p>
        Energies, step sizes, tree depths, acceptance rates and divergences are sent beside the draws, as sampler stats
        of the run. R-hat, ESS and everything else that needs draws alone is at{' '}
        <a href={`/ui/runs/${encodeURIComponent(model.rid)}`}>Overview</a>.
      </p>
      <ul>
        <li>PyMC, nutpie and NumPyro have them by themselves, and the Python package sends what they have.</li>
        <li>CmdStan writes them into its CSV files, in columns that end with two underscores.</li>
        <li>A sampler of your own declares them when it registers the run, by ArviZ’s names or its own:</li>
      </ul>
      <pre>
        <code>{REGISTERED}</code>
      </pre>
    </section>
  )
}
