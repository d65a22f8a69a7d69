/** The query of a table of draws (docs/protocol.md §11). A parameter that is not known is an error: its sender would get other rows. */

import { McbError } from '../core/errors.ts'
import { NAME_CHOICES } from '../core/formats/tables/names.ts'
import { WARMUP_CHOICES } from '../core/summary/question.ts'
import type { TableQuestion } from '../runs/tables.ts'
import type { AppContext } from './context.ts'
import { chainsQuery, sliceQuery } from './params.ts'

const TABLE = ['var', 'stat', 'chain', 'names', 'warmup', 'start', 'stop', 'step'] as const

/** @throws McbError `invalid_parameter`, `invalid_slice` */
export function tableQuery(c: AppContext): TableQuestion {
  requireKnown(c, TABLE)
  const slice = sliceQuery(c)
  if (slice.step !== undefined && slice.step < 0) {
    throw new McbError('invalid_slice', 'the step of a table is positive: its rows are in the order of the draws')
  }
  return {
    variables: c.req.queries('var'),
    stats: c.req.queries('stat'),
    chains: chainsQuery(c),
    names: choice(c, 'names', NAME_CHOICES),
    warmup: choice(c, 'warmup', WARMUP_CHOICES),
    slice,
  }
}

/** @throws McbError `invalid_parameter` for a parameter of the query that is none of these */
export function requireKnown(c: AppContext, known: readonly string[]): void {
  for (const name of new URL(c.req.url).searchParams.keys()) {
    if (known.includes(name)) continue
    throw new McbError('invalid_parameter', `"${name}" is not known here; this takes ${known.join(', ')}`)
  }
}

/** The one of some words that a parameter is, by default the first. */
function choice<T extends string>(c: AppContext, name: string, choices: readonly [T, ...T[]]): T {
  const [text, ...more] = c.req.queries(name) ?? [choices[0]]
  const found = choices.find((each) => each === text)
  if (found !== undefined && more.length === 0) return found
  throw new McbError('invalid_parameter', `"${name}" must be one of ${choices.join(', ')}`)
}
