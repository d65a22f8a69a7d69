/** Energies, of all chains or of one, and the E-BFMI of each. */
import { useMemo } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import { Chart } from '../../parts/chart.tsx'
import { chainDotsPlot, type Threshold } from '../../plots/chain-dots.ts'
import { energyPlot } from '../../plots/energy.ts'
import { pythonFor } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import { allChains, drawsNote, HEIGHT, refOf, type StatProps } from './shown.ts'

const POINTS = 240
/** Draws of a chain whose energies tell something. */
const FEW = 20

const THRESHOLDS: readonly Threshold[] = [{ value: 0.3, label: 'CmdStan warns below 0.3', status: 'warn' }]

export function EnergyCard({ model, stat }: StatProps) {
  const { more, convention } = model.view.value
  const choice = model.choice.value
  const { answer, error } = useDraws(model, 'energies', { scalar: refOf(stat), choice, convention, points: POINTS })
  const all = allChains(model)
  const chain = answer?.chains.find((each) => String(each.chain) === more.energy)?.chain
  const plots = useMemo(() => {
    if (answer === undefined) return undefined
    const note = drawsNote(answer.draws, answer.chains.length)
    const figures = answer.chains.map((each) => ({
      chain: each.chain,
      value: typeof each.bfmi === 'number' ? each.bfmi : Number.NaN,
    }))
    return {
      energy: energyPlot({ energies: answer, chain, note, python: pythonFor(model, 'az.plot_energy(dt)') }),
      bfmi: chainDotsPlot({
        ...{ title: 'E-BFMI of each chain', label: 'E-BFMI', figures, all, thresholds: THRESHOLDS, shown: [0, 1] },
        note: `${note}; convention of ${convention === 'arviz' ? 'ArviZ' : 'posterior'}`,
        python: pythonFor(model, 'az.bfmi(dt)'),
      }),
    }
  }, [answer, chain, convention, all.join()])
  const few = answer === undefined || answer.draws >= FEW ? undefined : `Too few draws: ${answer.draws} a chain`
  return (
    <section class="card" aria-label={`Energy (${stat.name})`}>
      <div class="sampler-two">
        <div>
          <Chart plot={plots?.energy} height={HEIGHT} empty={error ?? few} />
          {all.length > 1 && (
            <label class="sampler-choice">
              Shown:
              <select
                value={chain === undefined ? '' : String(chain)}
                onChange={(event) => show({ more: changed(more, event.currentTarget.value) })}
              >
                <option value="">all chains</option>
                {all.map((each) => (
                  <option key={each} value={String(each)}>
                    chain {each}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
        <Chart plot={plots?.bfmi} height={HEIGHT} empty={error ?? few} />
      </div>
    </section>
  )
}

function changed(more: Readonly<Record<string, string>>, energy: string): Readonly<Record<string, string>> {
  const { energy: _before, ...rest } = more
  return energy === '' ? rest : { ...rest, energy }
}
