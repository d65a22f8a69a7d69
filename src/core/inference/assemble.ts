/** The tree of a run at one moment: its plan, with the chains and draws that there were. */

import type { ChainState } from '../store.ts'
import type { RunMeta } from '../wire/run-meta.ts'
import { counted, given, LEADING, type Plan, type PlannedGroup } from './plan.ts'
import { attributesOf, type ToldFacts } from './told.ts'
import type { Attributes, Drawn, Group, Tree, TreeVariable } from './tree.ts'

/** `cut`: all chains are cut to the shortest of them; `ragged`: the shorter ones are filled up behind their end. */
export type Form = 'cut' | 'ragged'

/** Chains of a run as they were. */
export interface Moment {
  readonly form: Form
  /** None of them is empty. */
  readonly chains: readonly ChainState[]
  /** Draws of each that are warmup. */
  readonly warmups: readonly number[]
  /** Numbers of the chains that are not in the tree. */
  readonly leftOut: readonly number[]
  readonly about?: ToldFacts | undefined
}

/** Attribute of the root: what the chains were cut to, in words. */
const CUT = 'mcb.cut'
/** Attribute of a group whose chains are filled up: draws that each of them has. */
const LENGTHS = 'mcb.lengths'
/** Attributes of the root: numbers of chains, and variables with their groups, that have no place. */
const CHAINS_LEFT_OUT = 'mcb.chains_left_out'
const VARIABLES_LEFT_OUT = 'mcb.variables_left_out'
/** Names that an attribute lists. */
const MOST_LISTED = 1000

/** Draws of one part of the chains. */
interface Part {
  readonly name: PlannedGroup['part']
  readonly rows: Drawn['rows']
  /** Draws of the longest. */
  readonly length: number
  /** Draws that each chain has, cut or not. */
  readonly held: readonly number[]
}

export function treeAt(
  plan: Plan,
  { rid, meta }: { readonly rid: string; readonly meta: RunMeta },
  moment: Moment,
): Tree {
  const { chains, warmups, form } = moment
  const begins = chains.map(() => 0)
  const behind = chains.map(({ length }, i) => length - (warmups[i] ?? 0))
  const warmup = partOf('warmup', begins, plan.discardsWarmup ? begins : warmups, form)
  const posterior = partOf('posterior', warmups, behind, form)
  const told = attributesOf(
    rid,
    meta,
    warmups.reduce((most, count) => Math.max(most, count), 0),
    moment.about,
  )
  const chain = chainCoordinate(chains)
  const drawn = plan.drawn.flatMap((group) => {
    const part = group.part === 'warmup' ? warmup : posterior
    return part.length === 0 ? [] : [drawnGroup(group, part, chain, told.of(group.name))]
  })
  const data = plan.data.map(({ name, variables }) => ({ name, attributes: told.of(name), variables }))
  const attributes = { ...told.root, ...omissions(plan, moment, [warmup, posterior]) }
  return { attributes, groups: [...drawn, ...data], chains }
}

function partOf(name: Part['name'], first: readonly number[], held: readonly number[], form: Form): Part {
  const least = held.reduce((a, b) => Math.min(a, b), held[0] ?? 0)
  const rows = held.map((count, i) => ({ first: first[i] ?? 0, count: form === 'cut' ? least : count }))
  return { name, rows, length: rows.reduce((most, { count }) => Math.max(most, count), 0), held }
}

function chainCoordinate(chains: readonly ChainState[]): TreeVariable {
  const numbers = chains.map(({ chain }) => chain)
  const first = numbers[0] ?? 0
  const step = numbers.length > 1 ? (numbers[1] ?? 0) - first : 1
  if (numbers.every((number, i) => number === first + i * step)) return counted('chain', chains.length, { first, step })
  return given('chain', ['chain'], integers(numbers), {})
}

function integers(values: readonly number[]) {
  return { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) } as const
}

function drawnGroup(group: PlannedGroup, part: Part, chain: TreeVariable, attributes: Attributes): Group {
  const { rows, length, held } = part
  const isFilled = rows.some(({ count }) => count < length)
  const variables = group.variables.map(
    ({ shape, ...variable }): Drawn => ({
      ...variable,
      kind: 'drawn',
      shape: [rows.length, length, ...shape],
      attributes: NO_ATTRIBUTES,
      rows,
    }),
  )
  return {
    name: group.name,
    attributes: isFilled ? { ...attributes, [LENGTHS]: integers(held) } : attributes,
    variables: [chain, counted(LEADING[1], length, group.labels), ...group.coordinates, ...variables],
  }
}

const NO_ATTRIBUTES: Attributes = {}

/** Attributes that tell readers of all that the tree lacks. */
function omissions(plan: Plan, { form, leftOut }: Moment, parts: readonly Part[]): Attributes {
  const cuts = form === 'ragged' ? [] : parts.flatMap(cutOf)
  const { leftOut: variables } = plan
  const more = variables.length - MOST_LISTED
  const listed = more > 0 ? [...variables.slice(0, MOST_LISTED), `and ${more} more`] : variables
  return {
    ...(cuts.length > 0 && { [CUT]: cuts.join('; ') }),
    ...(leftOut.length > 0 && { [CHAINS_LEFT_OUT]: integers(leftOut.slice(0, MOST_LISTED)) }),
    ...(listed.length > 0 && { [VARIABLES_LEFT_OUT]: listed }),
  }
}

function cutOf({ name, held, rows }: Part): readonly string[] {
  const most = held.reduce((a, b) => Math.max(a, b), 0)
  const least = rows[0]?.count ?? 0
  return most === least ? [] : [`${name}: chains of ${least} to ${most} draws are cut to ${least}`]
}
