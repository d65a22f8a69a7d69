/** The draws of a stored run, as its diagnostics ask for them. */

import type { Bytes } from '../core/draws/segment.ts'
import { pieces } from '../core/selection.ts'
import type { DrawRange, DrawSource } from '../core/summary/source.ts'
import type { StoreRun } from './backend.ts'

export function drawSourceOf(run: StoreRun): DrawSource {
  const { rid, registration, meta, schema, store } = run
  return {
    rid,
    registration,
    meta,
    schema,
    states: () => store.chains(registration),
    read: (chain, range) => readDraws(run, chain, range),
  }
}

async function* readDraws(run: StoreRun, chain: number, range: DrawRange): AsyncGenerator<Bytes> {
  const {
    spec,
    elements: [from, to],
    first,
    count,
  } = range
  const isWhole = from === 0 && to === spec.elements
  const asked = { slice: { start: first, stop: first + count }, ...(!isWhole && { elements: [[from, to] as const] }) }
  for await (const { data } of pieces(await run.read(chain, [spec], asked))) yield data
}
