/** Evidence of a run's draws at one moment, out of the figures that are known. */

import { type Distribution, smaller } from '../diagnostics/checks/distribution.ts'
import { addLook, type DrawEvidence, noEvidence } from '../diagnostics/checks/draw-evidence.ts'
import { essDistribution } from '../diagnostics/checks/ess-check.ts'
import type { Look } from '../diagnostics/checks/look.ts'
import { rhatDistribution } from '../diagnostics/checks/rhat-check.ts'
import { type Figure, type FigureColumn, LOOK_FIGURES, type LookFigure } from '../diagnostics/figures.ts'
import { turn } from '../turn.ts'
import type { Scalars } from './rows.ts'
import type { Stretch } from './stock.ts'
import type { Desk } from './summaries.ts'

export interface Examined {
  readonly rhat: Distribution
  readonly essBulk: Distribution
  readonly essTail: Distribution
  /** The smaller of bulk and tail ESS. */
  readonly ess: Distribution
  readonly inDraws: DrawEvidence
}

/** Scalars between two turns of the event loop. */
const ROWS = 4096

/** Goes through the figures of all scalars: as much memory as some thousands of them take, however many there are. */
export async function gather({ stock, moment }: Desk, scalars: Scalars): Promise<Examined> {
  const chains = moment.chains.length
  const found = {
    rhat: rhatDistribution(),
    essBulk: essDistribution(chains),
    essTail: essDistribution(chains),
    ess: essDistribution(chains),
    inDraws: noEvidence(chains),
  }
  let first = 0
  for (const stretches of portions(scalars.allStretches(), ROWS)) {
    first = addRows(found, first, (figure) => stock.column(stretches, figure))
    await turn()
  }
  return found
}

/** Adds some scalars, whose rows follow on `first`; the row behind them. */
function addRows(found: Examined, first: number, column: (figure: Figure) => FigureColumn): number {
  const [rhat, bulk, tail] = [column('rhat'), column('ess_bulk'), column('ess_tail')]
  const looks = Object.fromEntries(LOOK_FIGURES.map((figure) => [figure, column(figure)]))
  const { length } = rhat.values
  for (let i = 0; i < length; i++) {
    const row = first + i
    found.rhat.add(row, rhat.at(i))
    found.essBulk.add(row, bulk.at(i))
    found.essTail.add(row, tail.at(i))
    found.ess.add(row, smaller(bulk.at(i), tail.at(i)))
    const look = lookOf((figure) => looks[figure]?.at(i))
    if (look !== undefined) addLook(found.inDraws, row, look)
  }
  return first + length
}

/** Stretches of `most` elements together. */
export function portions(stretches: readonly Stretch[], most: number): Stretch[][] {
  const found: Stretch[][] = []
  let room = 0
  for (const { spec, from, to } of stretches) {
    for (let begin = from; begin < to; ) {
      if (room === 0) {
        found.push([])
        room = most
      }
      const end = Math.min(to, begin + room)
      found.at(-1)?.push({ spec, from: begin, to: end })
      room -= end - begin
      begin = end
    }
  }
  return found
}

/** The look at a scalar; undefined where there was none yet. */
function lookOf(at: (figure: LookFigure) => ReturnType<FigureColumn['at']> | undefined): Look | undefined {
  const repeats = at('repeats')
  const nonFinite = at('non_finite')
  if (typeof nonFinite !== 'number') return undefined
  const number = (value: ReturnType<typeof at>) => (typeof value === 'number' ? value : 0)
  const auc = at('auc')
  return {
    nonFinite,
    nonFiniteIn: number(at('non_finite_in')),
    isConstant: repeats === 'constant',
    repeats: number(repeats),
    repeatsIn: number(at('repeats_in')),
    stillIn: number(at('still_in')),
    auc: typeof auc === 'number' ? auc : Number.NaN,
  }
}
