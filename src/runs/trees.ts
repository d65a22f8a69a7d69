/** Trees of runs, which are kept while readers ask for one part of them after the other. */

import type { Schema } from '../core/draws/columns.ts'
import { type Moment, treeAt } from '../core/inference/assemble.ts'
import { type Plan, planOf } from '../core/inference/plan.ts'
import type { ToldFacts } from '../core/inference/told.ts'
import type { Tree } from '../core/inference/tree.ts'
import { LruMap } from '../core/lru.ts'
import type { RunMeta } from '../core/wire/run-meta.ts'

/** The parts of a run that a tree is made of, and the moment's own. */
interface RegisteredRun {
  readonly rid: string
  readonly registration: string
  readonly schema: Schema
  readonly meta: RunMeta
  readonly bytes: Uint8Array
}

/** Facts, with the mark that changes when they do. */
export type MarkedFacts = ToldFacts & { readonly etag: string }
export type MarkedMoment = Moment & { readonly about?: MarkedFacts | undefined }

/** Bytes of the plans that are kept, and of one column in a plan, about. */
const PLAN_BYTES = 16 * 1024 * 1024
const COLUMN_BYTES = 1024
/** Variables and chains of the trees that are kept: about 400 bytes each, and with what formats make of them a kilobyte. */
const KEPT_PARTS = 25_000
/** Runs whose last tree is remembered. */
const LAST_KEYS = 1000

interface WeighedPlan {
  readonly plan: Plan
  readonly weight: number
}

export class Trees {
  private readonly plans = new LruMap<string, WeighedPlan>(PLAN_BYTES, ({ weight }) => weight)
  private readonly trees = new LruMap<string, Tree>(KEPT_PARTS, partsOf)
  /** Keys of the trees without facts that were made last, by registration. */
  private readonly last = new LruMap<string, string>(LAST_KEYS)

  of(run: RegisteredRun, moment: MarkedMoment): Tree {
    const { form, chains, leftOut, about } = moment
    const lengths = chains.map(({ chain, length }) => `${chain}:${length}`)
    const key = JSON.stringify([run.registration, form, lengths, leftOut, about?.etag ?? null])
    if (form === 'ragged' && about === undefined) this.last.set(run.registration, key)
    const known = this.trees.get(key)
    if (known !== undefined) return known
    const tree = treeAt(this.planOf(run), run, moment)
    this.trees.set(key, tree)
    return tree
  }

  /** The tree of a run as it was seen last, ragged and without facts: a guess at what it is now. */
  latest(registration: string): Tree | undefined {
    const key = this.last.get(registration)
    return key === undefined ? undefined : this.trees.get(key)
  }

  private planOf({ registration, schema, meta, bytes }: RegisteredRun): Plan {
    const known = this.plans.get(registration)
    if (known !== undefined) return known.plan
    const plan = planOf(schema, meta)
    this.plans.set(registration, { plan, weight: 2 * bytes.length + COLUMN_BYTES * schema.columns.length })
    return plan
  }
}

function partsOf({ groups, chains }: Tree): number {
  return groups.reduce((sum, { variables }) => sum + variables.length, chains.length)
}
