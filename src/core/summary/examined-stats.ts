/** Evidence of a run's sampler stats at one moment: divergences, energies, depths of trees. */

import type { Known, Marked, TreeDepths } from '../diagnostics/checks/evidence.ts'
import { anyOf, atLeast, countOf, leastBfmi } from '../diagnostics/checks/stat-evidence.ts'
import { samplerOf, statsCalled } from '../diagnostics/checks/stat-names.ts'
import { type TreeDepthLimit, treeDepthLimit } from '../diagnostics/checks/tree-depth.ts'
import type { Statistic } from '../diagnostics/convention.ts'
import { ScalarBlock } from '../diagnostics/scalar-block.ts'
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import { McbError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { turn } from '../turn.ts'
import type { Moment } from './moment.ts'
import type { DrawSource } from './source.ts'

export interface StatEvidence {
  readonly divergences: Known<Marked>
  /** 1 for each draw of all chains that diverged; absent where none is known to. */
  readonly divergent?: Uint8Array
  readonly bfmi: Known<readonly Statistic[]>
  readonly treeDepths: Known<TreeDepths>
}

export const PENDING_STATS: StatEvidence = { divergences: 'pending', bfmi: 'pending', treeDepths: 'pending' }

/** Settings of samplers are looked for in both. */
interface Told {
  readonly facts: JsonObject
  readonly attributes: JsonObject
}

/** Reads the stats of all chains, one column at a time. @throws McbError `run_not_found` */
export async function readStats(source: DrawSource, moment: Moment, told: Told): Promise<StatEvidence> {
  const { chains, draws } = moment
  const diverging = statsCalled('diverging', source.schema)
  const energies = statsCalled('energy', source.schema)
  const depths = depthStats(source.schema, told)
  const mask = new Uint8Array(diverging.length === 0 ? 0 : chains.length * draws)
  const bfmi: Statistic[] = []
  const hits: number[] = []
  for (const [position, { chain, first }] of chains.entries()) {
    const read = (spec: RigidNumbers) => readColumn(source, { chain, first, draws }, spec)
    const each = async <T>(specs: readonly RigidNumbers[], of: (values: Float64Array) => T): Promise<T[]> => {
      const found: T[] = []
      for (const spec of specs) found.push(of(await read(spec)))
      return found
    }
    if (diverging.length > 0) mask.set(anyOf(await each(diverging, (values) => values), draws), position * draws)
    bfmi.push(leastBfmi(await each(energies, (values) => values), 'posterior'))
    const marks: Uint8Array[] = []
    for (const { spec, limit } of depths) marks.push(atLeast(await read(spec), limit?.depth ?? 1))
    hits.push(countOf(anyOf(marks, draws)))
    await turn()
  }
  const marked = chains.map((_, i) => countOf(mask.subarray(i * draws, (i + 1) * draws)))
  const [depth] = depths
  return {
    divergences: diverging.length === 0 ? 'absent' : { marked, draws },
    ...(marked.some((count) => count > 0) && { divergent: mask }),
    bfmi: energies.length === 0 ? 'absent' : bfmi,
    treeDepths: depth === undefined ? 'absent' : { marked: hits, draws, ...(depth.limit && { limit: depth.limit }) },
  }
}

interface DepthStat {
  readonly spec: RigidNumbers
  /** Depth that counts as the greatest; absent where the stat itself says that it was reached. */
  readonly limit?: TreeDepthLimit
}

/** Stats that tell trees of the greatest depth: those of samplers that say so themselves, else depths. */
function depthStats(schema: Schema, { facts, attributes }: Told): DepthStat[] {
  const reached = statsCalled('reached_max_treedepth', schema)
  if (reached.length > 0) return reached.map((spec) => ({ spec }))
  return statsCalled('tree_depth', schema).map((spec) => {
    return { spec, limit: treeDepthLimit(facts, attributes, samplerOf(spec.name)) }
  })
}

interface Part {
  readonly chain: number
  readonly first: number
  readonly draws: number
}

async function readColumn(
  source: DrawSource,
  { chain, first, draws }: Part,
  spec: RigidNumbers,
): Promise<Float64Array> {
  const block = new ScalarBlock({ elements: 1, chains: 1, draws })
  let done = 0
  for await (const bytes of source.read(chain, { spec, elements: [[0, 1]], first, count: draws })) {
    block.put({ chain: 0, first: done, from: 0, elements: 1 }, bytes, spec.dtype)
    done += bytes.length / spec.itemSize
  }
  if (done < draws) throw new McbError('run_not_found', 'the run was deleted while it was examined')
  return block.values
}
