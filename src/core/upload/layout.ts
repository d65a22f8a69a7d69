/**
 * The place of everything that a writer has declared: which arrays are variables and stats of a run, and which rows are warmup.
 * The Python client's `store` has the same rules, so that a result that is stored and one that is written are one.
 */

import { McbError } from '../errors.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { isObject } from '../json.ts'
import type { Limits } from '../limits.ts'
import type { ArrayDocument, Document, GroupDocument } from './document.ts'

/** An array among the documents. */
export interface Node {
  /** Path of the array, without a slash at its ends. */
  readonly path: string
  readonly array: ArrayDocument
}

/** A variable or stat, and the arrays that have its draws; undefined where a part of the chain lacks it. */
export interface UploadColumn {
  readonly name: string
  readonly group: PlacedGroup
  readonly shape: readonly number[]
  readonly dims: readonly string[]
  readonly warmup: Node | undefined
  readonly posterior: Node | undefined
}

/** Parts of a chain, in the order of its iterations. */
export const PARTS = ['warmup', 'posterior'] as const
export type PartName = (typeof PARTS)[number]

export const PLACED = ['posterior', 'unconstrained_posterior', 'sample_stats'] as const
export type PlacedGroup = (typeof PLACED)[number]

export interface Layout {
  /** Variables, then those without constraints, then stats. */
  readonly columns: readonly UploadColumn[]
  /** Names of the variables of `unconstrained_posterior`. */
  readonly unconstrained: readonly string[]
  readonly chains: number
  /** Draws of each part of a chain that there may be. */
  readonly rows: Readonly<Record<PartName, number>>
  /** True where a stat marks warmup. */
  readonly hasFlag: boolean
  /** Names that the parts lack, by group. */
  readonly absent: Readonly<Record<string, readonly string[]>>
  /** Data and labels: arrays of groups that are no draws. */
  readonly others: readonly Node[]
}

export const FLAG = 'in_warmup'
const FLAG_NAMES = [FLAG, 'tune', 'warmup', 'is_warmup']

/** Settings of nutpie that keep stats, and the names of those that are never written where they are off. */
const KEPT_BY_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  store_gradient: ['gradient'],
  store_unconstrained: ['unconstrained_draw'],
  store_transformed: ['transformed_position', 'transformed_gradient'],
}

/** Documents by path of the group or array; '' is the root. */
export type Documents = ReadonlyMap<string, Document>

export function rootOf(documents: Documents): GroupDocument | undefined {
  const root = documents.get('')
  return root?.kind === 'group' ? root : undefined
}

/** The name of nutpie's settings in its root's attributes; undefined for other writers. */
export function samplerSettings(documents: Documents): JsonObject | undefined {
  const settings: JsonValue | undefined = rootOf(documents)?.attributes.sampler_settings
  return isObject(settings) ? settings : undefined
}

/** True for arrays of draws: their first axes are chain and draw. */
export function isSampled({ dims }: ArrayDocument): boolean {
  return dims[0] === 'chain' && dims[1] === 'draw'
}

/** The group of an array, as ArviZ names it: those of a dataset without groups are the posterior's. */
export function groupOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? 'posterior' : path.slice(0, at)
}

/** The name of an array. Rust's object_store encodes brackets and the like in it before it encodes the whole address. */
export function nameOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (!/%[0-9A-F]{2}/.test(name)) return name
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** @throws McbError `invalid_run_meta` where there are no draws, or arrays contradict each other */
export function layoutOf(documents: Documents, limits: Limits): Layout {
  const { sampled, others } = sorted(documents)
  const reference = (sampled.get('posterior') ?? sampled.get('warmup_posterior'))?.[0]
  if (reference === undefined) {
    throw new McbError('invalid_run_meta', 'no array of the group "posterior" has the axes "chain" and "draw"')
  }
  const chains = reference.array.shape[0] ?? 0
  if (chains > limits.chains) {
    const detail = `the arrays have ${chains} chains; at most ${limits.chains} are allowed`
    throw new McbError('invalid_run_meta', detail, { limit: limits.chains })
  }
  const rows = { warmup: rowsOf(sampled.get('warmup_posterior')), posterior: rowsOf(sampled.get('posterior')) }
  const columns = columnsOf(sampled, chains, rows)
  const stats = columns.filter(({ group }) => group === 'sample_stats')
  const misread = stats.some((column) => isWarmupFlag(column))
  const hasFlag = rows.warmup > 0 || misread
  const kept = hasFlag ? columns.filter(({ group, name }) => group !== 'sample_stats' || name !== FLAG) : columns
  const unconstrained = unconstrainedOf(kept)
  return { columns: kept, unconstrained, chains, rows, hasFlag, absent: absentOf(kept, unconstrained, rows), others }
}

/** Arrays of draws by group, and all others. */
function sorted(documents: Documents): { readonly sampled: Map<string, Node[]>; readonly others: Node[] } {
  const silent = silentNames(documents)
  const sampled = new Map<string, Node[]>()
  const others: Node[] = []
  for (const [path, array] of documents) {
    if (array.kind !== 'array') continue
    const group = groupOf(path)
    const kind = withoutPrefix(group)
    if (!isSampled(array) || !isPlacedGroup(kind)) others.push({ path, array })
    else if (!array.shape.includes(0) && !(kind === 'sample_stats' && silent.has(nameOf(path)))) {
      sampled.set(group, [...(sampled.get(group) ?? []), { path, array }])
    }
  }
  return { sampled, others }
}

function silentNames(documents: Documents): Set<string> {
  const settings = samplerSettings(documents)
  const silent = new Set<string>()
  if (settings === undefined) return silent
  for (const [setting, names] of Object.entries(KEPT_BY_SETTINGS)) {
    if (settings[setting] !== true) for (const name of names) silent.add(name)
  }
  return silent
}

export function withoutPrefix(group: string): string {
  return group.startsWith('warmup_') ? group.slice('warmup_'.length) : group
}

export function isPlacedGroup(group: string): group is PlacedGroup {
  return PLACED.some((placed) => placed === group)
}

function rowsOf(nodes: readonly Node[] | undefined): number {
  return nodes?.[0]?.array.shape[1] ?? 0
}

/** Columns by group and name, so that they do not depend on the order in which they were declared. */
function columnsOf(
  sampled: ReadonlyMap<string, readonly Node[]>,
  chains: number,
  rows: Readonly<Record<PartName, number>>,
): UploadColumn[] {
  const columns: UploadColumn[] = []
  const taken = new Set<string>()
  for (const group of PLACED) {
    const parts = { warmup: byName(sampled.get(`warmup_${group}`)), posterior: byName(sampled.get(group)) }
    const names = [...new Set([...parts.posterior.keys(), ...parts.warmup.keys()])].sort()
    for (const name of names) {
      if (group === 'unconstrained_posterior' && taken.has(name)) continue
      if (group === 'posterior') taken.add(name)
      const column = columnOf(name, group, parts.warmup.get(name), parts.posterior.get(name))
      for (const part of PARTS) requireRows(column[part], chains, rows[part])
      columns.push(column)
    }
  }
  return columns
}

function columnOf(
  name: string,
  group: PlacedGroup,
  warmup: Node | undefined,
  posterior: Node | undefined,
): UploadColumn {
  requireSame(warmup, posterior)
  const { shape = [], dims = [] } = (posterior ?? warmup)?.array ?? {}
  return { name, group, shape: shape.slice(2), dims: dims.slice(2), warmup, posterior }
}

function byName(nodes: readonly Node[] = []): Map<string, Node> {
  return new Map(nodes.map((node) => [nameOf(node.path), node]))
}

function requireRows(node: Node | undefined, chains: number, rows: number): void {
  if (node === undefined) return
  const { path, array } = node
  const { shape } = array
  if (shape[0] === chains && shape[1] === rows) return
  const detail = `${path} has shape [${shape}]; the draws of its group have ${chains} chains of ${rows}`
  throw new McbError('invalid_run_meta', detail, { variable: nameOf(path) })
}

function requireSame(warmup: Node | undefined, posterior: Node | undefined): void {
  if (warmup === undefined || posterior === undefined) return
  const [a, b] = [warmup.array, posterior.array]
  if (a.type.dtype === b.type.dtype && String(a.shape.slice(2)) === String(b.shape.slice(2))) return
  const detail = `${warmup.path} has another shape or type than ${posterior.path}`
  throw new McbError('invalid_run_meta', detail, { variable: nameOf(posterior.path) })
}

function isWarmupFlag({ name, shape, posterior, warmup }: UploadColumn): boolean {
  const dtype = (posterior ?? warmup)?.array.type.dtype
  return (
    dtype === 'bool' && shape.length === 0 && FLAG_NAMES.some((flag) => name === flag || name.endsWith(`__${flag}`))
  )
}

/**
 * Variables that the sampler sees in the place of those of the model: those of a group of their own, and those that have the names
 * that PyMC gives to transformed variables, where the variable itself is there as well.
 */
function unconstrainedOf(columns: readonly UploadColumn[]): string[] {
  const variables = columns.filter(({ group }) => group !== 'sample_stats')
  const names = new Set(variables.map(({ name }) => name))
  return variables
    .filter(({ group, name }) => group === 'unconstrained_posterior' || isTransformed(name, names))
    .map(({ name }) => name)
}

function isTransformed(name: string, names: ReadonlySet<string>): boolean {
  if (!name.endsWith('__')) return false
  const stem = name.slice(0, -2)
  for (let at = stem.lastIndexOf('_'); at > 0; at = stem.lastIndexOf('_', at - 1)) {
    if (names.has(stem.slice(0, at))) return true
  }
  return false
}

function absentOf(
  columns: readonly UploadColumn[],
  unconstrained: readonly string[],
  rows: Readonly<Record<PartName, number>>,
): Record<string, string[]> {
  const absent: Record<string, string[]> = {}
  if (rows.warmup === 0 || rows.posterior === 0) return absent
  for (const column of columns) {
    const group =
      unconstrained.includes(column.name) && column.group !== 'sample_stats' ? 'unconstrained_posterior' : column.group
    for (const [part, prefix] of [
      ['posterior', ''],
      ['warmup', 'warmup_'],
    ] as const) {
      const key = prefix + group
      if (column[part] === undefined) absent[key] = [...(absent[key] ?? []), column.name]
    }
  }
  return absent
}
