/** Warmup among draws (the contract, section 7): one rule for SQL, diagnostics, files and clients. */

import type { ColumnSpec, RigidNumbers, Schema } from './draws/columns.ts'
import type { Bytes } from './draws/segment.ts'
import { pieces, type Selection } from './selection.ts'

/** Names of the flag, the likeliest first; a sampler within a compound one has its own before two underscores. */
const NAMES = ['in_warmup', 'tune', 'warmup', 'is_warmup'] as const

/** The sampler stat that tells whether a draw is warmup; undefined when a run has none, and so no warmup. */
export function warmupFlag({ stats }: Schema): RigidNumbers | undefined {
  for (const name of NAMES) {
    const spec = stats.get(name)
    if (isFlag(spec)) return spec
  }
  for (const spec of stats.values()) {
    if (isFlag(spec) && NAMES.some((name) => spec.name.endsWith(`__${name}`))) return spec
  }
  return undefined
}

/** The stats that can mark warmup: each sampler of a compound one may have its own. */
export function warmupFlags({ stats }: Schema): readonly ColumnSpec[] {
  const isNamed = (own: string) => NAMES.some((name) => own === name || own.endsWith(`__${name}`))
  return [...stats.values()].filter((spec) => isFlag(spec) && isNamed(spec.name))
}

function isFlag(spec: ColumnSpec | undefined): spec is RigidNumbers {
  return spec?.kind === 'rigid-numbers' && spec.dtype === 'bool' && spec.shape.length === 0
}

/** Warmup among some draws of the flag, one byte each, which follow on nothing but warmup. */
export function warmupIn(flags: Bytes): number {
  const end = flags.findIndex((flag) => flag !== 1)
  return end < 0 ? flags.length : end
}

/** Warmup draws of a chain, from a selection of its flag alone: no more of it is read than up to the first draw that is none. */
export async function warmupLength(flag: Selection): Promise<number> {
  let length = 0
  for await (const { data } of pieces(flag)) {
    const more = warmupIn(data)
    length += more
    if (more < data.length) break
  }
  return length
}
