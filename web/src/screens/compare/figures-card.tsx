/** The figures of each run as a whole, side by side. */
import type { ComponentChildren } from 'preact'
import type { About } from '../../api/shapes.ts'
import { count, duration, rate, rhatText, significant } from '../../paint/number.ts'
import { StateBadge, VerdictBadge } from '../../parts/badges.tsx'
import { ChainSign } from '../../parts/chain-sign.tsx'
import type { Comparison } from './comparison.ts'
import { speedOf } from './speed.ts'

type Figure = (about: About) => ComponentChildren

const NOTHING = '–'

const FIGURES: readonly (readonly [label: string, figure: Figure])[] = [
  ['State', ({ state }) => <StateBadge state={state} />],
  [
    'Checks',
    ({ diagnostics }) =>
      diagnostics?.status == null ? 'not computed yet' : <VerdictBadge status={diagnostics.status} />,
  ],
  ['Chains', ({ chains }) => count(chains)],
  ['Draws of all chains', ({ draws }) => count(draws)],
  ['Draws of each, behind warmup', ({ diagnostics }) => textOf(diagnostics?.draws, count)],
  ['Worst R-hat', ({ diagnostics }) => textOf(diagnostics?.rhat, rhatText)],
  ['Least ESS, bulk', ({ diagnostics }) => textOf(diagnostics?.essBulk, count)],
  ['Least ESS, tail', ({ diagnostics }) => textOf(diagnostics?.essTail, count)],
  ['Least ESS a second', speedText],
  ['Divergences', ({ diagnostics }) => textOf(diagnostics?.divergences, count)],
  ['Least E-BFMI', ({ diagnostics }) => textOf(diagnostics?.bfmi, (bfmi) => significant(bfmi, 2))],
  ['Registered', ({ createdAt }) => new Date(createdAt).toLocaleString()],
]

function textOf(value: number | null | undefined, text: (value: number) => string): string {
  return value == null ? NOTHING : text(value)
}

function speedText(about: About): ComponentChildren {
  const { essBulk = null, essTail = null } = about.diagnostics ?? {}
  const known = [essBulk, essTail].filter((ess) => ess !== null)
  const speed = speedOf(about, known.length === 0 ? undefined : Math.min(...known))
  if (speed === undefined) return NOTHING
  const basis = speed.basis === 'told' ? 'of sampling, as the run tells' : 'from registration to last write'
  return (
    <>
      {rate(speed.perSecond)}
      <span class="basis">
        {speed.seconds < 10 ? `${significant(speed.seconds, 2)} s` : duration(speed.seconds)} {basis}
      </span>
    </>
  )
}

export function FiguresCard({ comparison }: { readonly comparison: Comparison }) {
  const { runs, names } = comparison
  return (
    <section class="card" aria-labelledby="compare-figures">
      <h2 id="compare-figures">Figures</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <section class="compare-scroller" aria-label="Table of figures" tabIndex={0}>
        <table class="plain compare-table">
          <thead>
            <tr>
              <td />
              {runs.map(({ rid }, i) => (
                <th key={rid} scope="col" title={names.value[i]}>
                  <ChainSign place={i} chains={runs.length} /> <bdi>{names.value[i]}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {FIGURES.map(([label, figure]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                {runs.map(({ rid, about }) => (
                  <td key={rid}>{about.value === undefined ? NOTHING : figure(about.value)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="quiet-text note">
        Convention of R’s posterior. R-hat, ESS, divergences and E-BFMI are of the draws of each chain that are named
        here, as last computed.
      </p>
    </section>
  )
}
