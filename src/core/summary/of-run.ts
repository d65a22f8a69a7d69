/** Summaries and checks of a `Run` of any backend: its draws come through the three interfaces. */

import type { RunChecks } from '../diagnostics/checks/check.ts'
import { bytesOf } from '../draws/dtype.ts'
import type { Bytes } from '../draws/segment.ts'
import { isDrawList } from '../draws/values.ts'
import { McbError } from '../errors.ts'
import type { Chain, Run } from '../interfaces.ts'
import type { ChainState } from '../store.ts'
import type { CheckOptions } from './check-options.ts'
import { examineSource } from './examine.ts'
import type { SummaryOptions } from './options.ts'
import { type DrawRange, type DrawSource, elementCount, hasAllElements } from './source.ts'
import { summariseSource } from './summarise.ts'
import type { Summary } from './summary.ts'

/** Bytes that one read of a chain aims at. */
const READ_BYTES = 16 * 1024 * 1024
/** Chains that are asked for their length at a time. */
const ASKED = 8

/**
 * Means, intervals, Monte Carlo errors, ESS and R-hat of each scalar of a run, computed here from its draws of one moment: the same
 * numbers as `run.summary()`, of a run of any backend.
 *
 * @example
 * const { columns, rows } = await summarise(run, { variables: ['theta'], columns: ['mean', 'ess_bulk', 'rhat'] })
 * for (const { label, figures } of rows) console.log(label, ...figures)
 * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_parameter`, `payload_too_large` for a scalar of more than
 *   10⁸ draws and for more than 10⁶ scalars
 */
export async function summarise(run: Run, options: SummaryOptions = {}): Promise<Summary> {
  return summariseSource(sourceOf(run), options)
}

/**
 * Findings that tell whether a run can be trusted, computed here from its draws of one moment: the same as `run.checks()`, of a run of
 * any backend. These interfaces do not tell when a chain was written, so that silence is that of the whole run.
 *
 * @throws McbError `payload_too_large` for a scalar of more than 10⁸ draws and for more than 10⁶ scalars
 */
export async function examine(run: Run, options: CheckOptions = {}): Promise<RunChecks> {
  return examineSource(sourceOf(run), await run.about(), options)
}

function sourceOf(run: Run): DrawSource {
  const { rid, registration, meta, schema } = run
  const chains = new Map<number, Chain>()
  return {
    rid,
    registration,
    meta,
    schema,
    states: async () => {
      const found = await run.getChains()
      for (const chain of found) chains.set(chain.number, chain)
      return statesOf(found)
    },
    read: (number, range) => {
      const chain = chains.get(number)
      if (chain === undefined) throw new McbError('chain_not_found', `run "${rid}" has no chain ${number}`)
      return readDraws(chain, range)
    },
  }
}

/** Lengths of chains. These interfaces do not tell when a chain was written: the draws that there are make the summary. */
async function statesOf(chains: readonly Chain[]): Promise<ChainState[]> {
  const states: ChainState[] = []
  for (let begin = 0; begin < chains.length; begin += ASKED) {
    const some = chains.slice(begin, begin + ASKED)
    states.push(
      ...(await Promise.all(
        some.map(async (chain) => ({ chain: chain.number, length: await chain.length(), updatedAt: 0 })),
      )),
    )
  }
  return states
}

async function* readDraws(chain: Chain, range: DrawRange): AsyncGenerator<Bytes> {
  const { spec, first, count } = range
  const elements = hasAllElements(range) ? undefined : range.elements
  const each = Math.max(1, Math.floor(READ_BYTES / Math.max(1, elementCount(range) * spec.itemSize)))
  for (let done = 0; done < count; done += each) {
    const slice = { start: first + done, stop: first + Math.min(count, done + each) }
    const read = spec.group === 'draws' ? chain.getDraws.bind(chain) : chain.getStats.bind(chain)
    const draws = await read(spec.name, slice, elements)
    if (isDrawList(draws) || draws.dtype === 'str') throw new TypeError(`"${spec.name}" holds numbers of fixed shape`)
    yield bytesOf(draws.data)
  }
}
