/** Metadata of runs, and the places where they are not the same. */
import { ChainSign } from '../../parts/chain-sign.tsx'
import type { Comparison } from './comparison.ts'

/** Differences that are shown before somebody asks for all. */
const SHOWN = 200

export function DifferencesCard({ comparison }: { readonly comparison: Comparison }) {
  const { runs, names, differences, isOpen } = comparison
  if (!isOpen.value) return null
  const found = differences.value
  return (
    <section class="card" aria-labelledby="compare-differences">
      <h2 id="compare-differences">Differences of the metadata</h2>
      {found.length === 0 ? (
        <p class="quiet-text">
          Variables, sampler stats, coordinates, data, attributes, packages and tags are the same.
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
        <section class="compare-scroller" aria-label="Table of differences" tabIndex={0}>
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
              {found.slice(0, SHOWN).map(({ kind, name, texts }) => (
                <tr key={`${kind} ${name}`}>
                  <th scope="row">
                    <span class="kind">{kind}</span> <bdi>{name}</bdi>
                  </th>
                  {runs.map(({ rid }, i) => (
                    <td key={rid}>{texts[i] === undefined ? '–' : <bdi>{texts[i]}</bdi>}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {found.length > SHOWN && (
        <p class="quiet-text">
          The first {SHOWN} of {found.length}.
        </p>
      )}
    </section>
  )
}
