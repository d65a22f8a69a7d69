/** The draws of a stored run, as its diagnostics ask for them. */

import type { ColumnSpec, Schema } from '../core/draws/columns.ts'
import type { Elements } from '../core/draws/elements.ts'
import type { Bytes } from '../core/draws/segment.ts'
import type { Slice } from '../core/draws/slice.ts'
import { pieces, type Selection } from '../core/selection.ts'
import type { Store } from '../core/store.ts'
import {
  type ColumnPiece,
  type ColumnsRange,
  type DrawRange,
  type DrawSource,
  hasAllElements,
} from '../core/summary/source.ts'
import type { RunMeta } from '../core/wire/run-meta.ts'

/** The parts of a stored run that its diagnostics need. */
export interface ReadableRun {
  readonly rid: string
  readonly registration: string
  readonly meta: RunMeta
  readonly schema: Schema
  readonly store: Store
  read(
    chain: number,
    columns: readonly ColumnSpec[],
    asked: { readonly slice: Slice; readonly elements?: Elements | undefined },
  ): Promise<Selection>
}

export function drawSourceOf(run: ReadableRun): DrawSource {
  const { rid, registration, meta, schema, store } = run
  return {
    rid,
    registration,
    meta,
    schema,
    states: () => store.chains(registration),
    read: (chain, range) => readDraws(run, chain, range),
    readColumns: (chain, range) => readColumns(run, chain, range),
  }
}

async function* readColumns(
  run: ReadableRun,
  chain: number,
  { specs, first, count }: ColumnsRange,
): AsyncGenerator<ColumnPiece> {
  yield* pieces(await run.read(chain, specs, { slice: { start: first, stop: first + count } }))
}

async function* readDraws(run: ReadableRun, chain: number, range: DrawRange): AsyncGenerator<Bytes> {
  const { spec, elements, first, count } = range
  const asked = { slice: { start: first, stop: first + count }, ...(!hasAllElements(range) && { elements }) }
  for await (const { data } of pieces(await run.read(chain, [spec], asked))) yield data
}
