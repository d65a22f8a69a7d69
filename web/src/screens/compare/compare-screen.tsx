/** Two to eight runs beside each other. */
import { useEffect, useMemo } from 'preact/hooks'
import { go, place } from '../../app/navigate.ts'
import { ChainSign } from '../../parts/chain-sign.tsx'
import './compare.css'
import { Comparison, MOST_RUNS } from './comparison.ts'
import { DifferencesCard } from './differences-card.tsx'
import { FiguresCard } from './figures-card.tsx'
import { problemWords } from './problem-words.ts'
import { ScalarsPart } from './scalars-part.tsx'

export function CompareScreen() {
  const at = place.value
  const rids = at.screen === 'compare' ? at.runs : []
  return rids.length === 0 ? <Nothing /> : <Compared key={rids.join()} rids={rids} />
}

function Nothing() {
  return (
    <div class="middle">
      <div>
        <h1>Compare runs</h1>
        <p>Choose two to {MOST_RUNS} runs in the list: with their boxes, or with x.</p>
        <a class="button" href="/ui/">
          All runs
        </a>
      </div>
    </div>
  )
}

function Compared({ rids }: { readonly rids: readonly string[] }) {
  const comparison = useMemo(() => new Comparison(rids), [])
  useEffect(() => () => comparison.close(), [comparison])
  const { runs } = comparison
  const isAway = runs.some(({ isConnected }) => !isConnected.value)
  return (
    <div class="compare">
      {isAway && (
        <p class="away" role="status">
          The server does not answer; what you see is from before. It is asked again and again.
        </p>
      )}
      <header class="compare-head">
        <h1>Compare {runs.length === 1 ? '1 run' : `${runs.length} runs`}</h1>
        <a class="button" href="/ui/">
          Choose others
        </a>
      </header>
      {rids.length > runs.length && (
        <p class="quiet-text">At most {MOST_RUNS} runs are compared, each once; the address names more.</p>
      )}
      <RunChips comparison={comparison} />
      <FiguresCard comparison={comparison} />
      <ScalarsPart comparison={comparison} />
      <DifferencesCard comparison={comparison} />
    </div>
  )
}

/** The runs by the lines that they have in plots, each with a way out. */
function RunChips({ comparison }: { readonly comparison: Comparison }) {
  const { runs, names } = comparison
  const without = (rid: string) => {
    const at = place.peek()
    if (at.screen !== 'compare') return
    go({ ...at, runs: at.runs.filter((each) => each !== rid) }, 'replace')
  }
  return (
    <ul class="compare-runs" aria-label="Runs">
      {runs.map(({ rid, problem }, i) => (
        <li key={rid}>
          <ChainSign place={i} chains={runs.length} />
          <a href={`/ui/runs/${encodeURIComponent(rid)}`} title={rid}>
            <bdi>{names.value[i]}</bdi>
          </a>
          {problem.value !== undefined && <span class="status bad">✗ {problemWords(problem.value)}</span>}
          {runs.length > 1 && (
            <button
              type="button"
              class="quiet icon"
              aria-label={`Without ${names.value[i]}`}
              onClick={() => without(rid)}
            >
              ✕
            </button>
          )}
        </li>
      ))}
    </ul>
  )
}
