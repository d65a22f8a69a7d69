/** Warmup in a batch: the longest prefix of a chain for which its flag holds. */
import type { RigidNumbers, Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import type { ChainState } from '../../core/store.ts'
import { warmupFlag, warmupIn } from '../../core/warmup.ts'
import { beginOf, readPage, type Source } from './read.ts'

/** Iterations at which warmup begins and ends within the blocks that follow on a chain; the first of them begins it. */
export async function warmupFlips(
  source: Source,
  schema: Schema,
  blocks: readonly Block[],
  chain: ChainState,
): Promise<readonly number[]> {
  const flag = warmupFlag(schema)
  const block = flag && blocks[flag.index]
  if (flag === undefined || block?.data == null) return []
  const warm = warmupIn(block.data)
  if (warm === 0 || !(await isAllWarmup(source, flag, chain))) return []
  return warm < block.count ? [block.start, block.start + warm] : [block.start]
}

/** True when all draws so far are warmup. Asked only while a sampler says so, and mostly answered by one page. */
async function isAllWarmup(source: Source, flag: RigidNumbers, chain: ChainState): Promise<boolean> {
  const question = { columns: [flag.index], slice: {} }
  let cursor = chain.length === 0 ? undefined : beginOf(chain)
  while (cursor !== undefined) {
    const { stretches, next } = await readPage(source, question, cursor)
    for (const { data } of stretches) if (data === null || warmupIn(data) < data.length) return false
    cursor = next
  }
  return true
}
