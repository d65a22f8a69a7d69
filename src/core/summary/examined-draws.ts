/** Evidence of a run's draws at one moment, out of the figures that are known. */

import { addLook, type DrawEvidence, noEvidence } from '../diagnostics/checks/draw-evidence.ts'
import type { Look } from '../diagnostics/checks/look.ts'
import { type Figure, type FigureColumn, LOOK_FIGURES, type LookFigure } from '../diagnostics/figures.ts'
import { Pace, turn } from '../turn.ts'
import type { Scalars } from './rows.ts'
import type { Desk } from './summaries.ts'

export interface Examined {
  readonly rhat: FigureColumn
  readonly essBulk: FigureColumn
  readonly essTail: FigureColumn
  readonly inDraws: DrawEvidence
}

/** Scalars between two turns of the event loop. */
const ROWS = 4096

export async function gather({ stock, moment }: Desk, scalars: Scalars): Promise<Examined> {
  const stretches = scalars.allStretches()
  const column = (figure: Figure) => stock.column(stretches, figure)
  const inDraws = noEvidence(moment.chains.length)
  const looks = Object.fromEntries(LOOK_FIGURES.map((figure) => [figure, column(figure)]))
  const pace = new Pace(ROWS)
  for (let row = 0; row < scalars.total; row++) {
    const look = lookOf((figure) => looks[figure]?.at(row))
    if (look !== undefined) addLook(inDraws, row, look)
    if (pace.isDue(1)) await turn()
  }
  return { rhat: column('rhat'), essBulk: column('ess_bulk'), essTail: column('ess_tail'), inDraws }
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
