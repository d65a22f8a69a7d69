/** The draws of a run where its store is, one page after the other. */
import { elementsColumn } from '../draws/elements.ts'
import type { Bytes } from '../draws/segment.ts'
import { resolveSlice } from '../draws/slice.ts'
import { pieces } from '../selection.ts'
import type { Question, ReadCursor, Store, Stretch } from '../store.ts'
import { type DrawRange, type DrawSource, elementCount, hasAllElements } from './source.ts'

/** `states` and `read` throw `run_not_found` where the registration is gone. */
export function sourceOfStore(store: Store, run: Omit<DrawSource, 'states' | 'read'>): DrawSource {
  const { registration } = run
  return {
    ...run,
    states: () => store.chains(registration),
    read: (chain, range) => readDraws(store, registration, chain, range),
    readColumns: (chain, { specs, first, count }) => {
      const slice = { start: first, stop: first + count }
      const question = { columns: specs.map(({ index }) => index), slice }
      const read = () => stretchesOf(store, registration, chain, question)
      return pieces({ chain, columns: specs, slice: resolveSlice(slice, first + count), read })
    },
  }
}

async function* readDraws(store: Store, registration: string, chain: number, range: DrawRange): AsyncGenerator<Bytes> {
  const { spec, first, count } = range
  const slice = { start: first, stop: first + count }
  const elements = hasAllElements(range) ? undefined : { ranges: range.elements, count: elementCount(range) }
  const question = { columns: [spec.index], slice, elements }
  const selection = {
    chain,
    columns: [elements === undefined ? spec : elementsColumn(spec, elements)],
    slice: resolveSlice(slice, first + count),
    read: () => stretchesOf(store, registration, chain, question),
  }
  for await (const { data } of pieces(selection)) yield data
}

async function* stretchesOf(
  store: Store,
  registration: string,
  chain: number,
  question: Question,
): AsyncGenerator<Stretch> {
  let cursor: ReadCursor | undefined
  do {
    const read = await store.read(registration, chain, question, cursor)
    yield* read.page.stretches
    cursor = read.page.next
  } while (cursor !== undefined)
}
