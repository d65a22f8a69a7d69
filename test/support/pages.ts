/** Pages that are shorter than a store would make them. */
import { resolveSlice, sliceOf, subSlice } from '../../src/core/draws/slice.ts'
import type { Question, Read, ReadCursor } from '../../src/core/store.ts'

/** A page of at most `each` draws of one column, of a store that would give more. */
export async function shortPage(
  question: Question,
  each: number,
  cursor: ReadCursor | undefined,
  read: (question: Question, cursor?: ReadCursor) => Promise<Read>,
): Promise<Read> {
  const { state } = await read({ ...question, columns: [] })
  const { moment, position, done } = cursor ?? { moment: state, position: 0, done: 0 }
  const slice = resolveSlice(question.slice, moment.length)
  const part = subSlice(slice, done, each)
  const columns = question.columns.slice(position, position + 1)
  const { page } = await read({ ...question, columns, slice: sliceOf(part) }, { moment, position: 0, done: 0 })
  const stretches = page.stretches.map((stretch) => ({ ...stretch, position }))
  const behind = done + part.count
  const isLast = behind === slice.count && position + 1 >= question.columns.length
  const next = behind < slice.count ? { moment, position, done: behind } : { moment, position: position + 1, done: 0 }
  return { state: moment, page: isLast ? { stretches } : { stretches, next } }
}
