/** Summaries that are computed where they are asked for, by one caller and at once. */

import { LocalBench } from './bench.ts'
import { type SummaryOptions, summarySettings, summarySpecs } from './options.ts'
import type { DrawSource } from './source.ts'
import { Summaries } from './summaries.ts'
import type { Summary } from './summary.ts'
import { Workshop } from './workshop.ts'

/** Bounds of one computation: blocks are read and computed one after the other, whatever their number, and nothing is kept. */
const LIMITS = { values: Number.POSITIVE_INFINITY, scalar: 1e8, keptBytes: 0 }

/**
 * Figures of the draws of one moment.
 *
 * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_parameter`, `payload_too_large` for a scalar of more than
 *   10⁸ draws and for more than 10⁶ scalars
 */
export async function summariseSource(source: DrawSource, options: SummaryOptions = {}): Promise<Summary> {
  const question = { ...summarySettings(options), ...summarySpecs(source.schema, options) }
  const summaries = summariesHere()
  return summaries.answer(abortable(source, options.signal), question, {
    owner: summaries,
    waitMs: Number.POSITIVE_INFINITY,
  })
}

export function summariesHere(): Summaries {
  return new Summaries(new Workshop(new LocalBench()), LIMITS)
}

/** A source that gives nothing more when the signal is aborted. */
export function abortable(source: DrawSource, signal: AbortSignal | undefined): DrawSource {
  if (signal === undefined) return source
  return {
    ...source,
    states: async () => {
      signal.throwIfAborted()
      return source.states()
    },
    async *read(chain, range) {
      signal.throwIfAborted()
      for await (const bytes of source.read(chain, range)) {
        yield bytes
        signal.throwIfAborted()
      }
    },
  }
}
