/** Chunks and draws that other isolates have stored since this one has loaded an upload. */

import type { Growth } from './growth.ts'
import { DONE_MARK, doubtsOf, ENDING_MARK, sortObjects } from './objects.ts'
import { isDocument } from './paths.ts'
import { Outdated } from './staged-chunks.ts'

/** Learns which chunks are staged, and behind that which draws are stored. @throws Outdated where the writer has ended */
export async function refresh(growth: Growth): Promise<void> {
  const { chunks, doubts, lengths, rid, store } = growth.parts
  const { run } = growth.draws
  const { marks, sent } = sortObjects(await store.listStaged(rid, ''), run.registration)
  if (!growth.isDone && (marks.has(ENDING_MARK) || marks.has(DONE_MARK))) throw new Outdated('the writer has ended')
  chunks.replace([...sent].filter(([path]) => !isDocument(path)))
  doubts.clear()
  for (const doubt of doubtsOf(marks)) doubts.add(doubt)
  // A chunk that is not listed any more has become draws before this.
  for (const { chain, length } of await run.chainStates()) {
    lengths.set(chain, Math.max(length, lengths.get(chain) ?? 0))
  }
}
