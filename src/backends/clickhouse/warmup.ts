/** Which iterations of a batch are warmup, as the samplers' own stats say. */
import type { ColumnSpec, Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'

/** Names under which samplers tell it; a prefix such as `sampler_0__` may stand before them. */
const NAMES = ['tune', 'in_warmup', 'warmup', 'is_warmup']

function tellsWarmup(spec: ColumnSpec): boolean {
  const name = spec.name.replace(/^sampler_\d+__/, '')
  return spec.group === 'stats' && spec.kind === 'rigid-numbers' && spec.dtype === 'bool' && NAMES.includes(name)
}

/** Iterations at which warmup begins, ends, begins … within the blocks; the first of them begins it. */
export function warmupFlips(schema: Schema, blocks: readonly Block[]): number[] {
  const spec = schema.columns.find(tellsWarmup)
  const block = spec && blocks[spec.index]
  if (spec?.kind !== 'rigid-numbers' || block?.data == null || spec.stride === 0) return []
  const flips: number[] = []
  for (let i = 0; i < block.count; i++) {
    const warmup = block.data[i * spec.stride] === 1
    if (warmup !== (flips.length % 2 === 1)) flips.push(block.start + i)
  }
  return flips
}
