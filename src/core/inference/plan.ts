/** The groups of a run, as its metadata alone tells them: variables, their names and axes, and what has no place in a group. */

import { plainAttribute } from '../attributes.ts'
import type { ColumnSpec, Schema } from '../draws/columns.ts'
import { type Dtype, ITEM_SIZE } from '../draws/dtype.ts'
import type { RigidColumn } from '../draws/elements.ts'
import { isObject, type JsonValue } from '../json.ts'
import { warmupFlags } from '../warmup.ts'
import type { RunMeta } from '../wire/run-meta.ts'
import { type Axes, fitAxes, type Unfitted } from './axes.ts'
import { describedOf, Labels } from './labels.ts'
import { FreeNames } from './names.ts'
import { promoted } from './promote.ts'
import { arvizNames, ownName } from './stat-names.ts'
import type { Attributes, Counted, Given } from './tree.ts'

/** Attribute of a run: names of the variables that the sampler sees in the place of those that the model names. */
export const UNCONSTRAINED = 'mcb.unconstrained'
/** Attribute of a run: names of the stats that readers show, unchanged. */
export const STATS_AS_THEY_ARE = 'mcb.stats'
/** Attribute of a run: by group, the first label of `draw` and the step to the next, where they are not 0 and 1. */
export const DRAW_LABELS = 'mcb.draw'
/** Attribute of a run: by group, names of the variables that it lacks. */
export const ABSENT = 'mcb.absent'

/** Axes of what is drawn, before its own. */
export const LEADING = ['chain', 'draw'] as const

/** A variable of draws, without the chains and draws that there are. */
export interface PlannedVariable {
  readonly name: string
  /** `LEADING`, and its own. */
  readonly dims: readonly string[]
  /** Shape of one draw. */
  readonly shape: readonly number[]
  readonly dtype: Dtype
  readonly columns: readonly RigidColumn[]
}

/** A group of draws; that of warmup is one of its own. */
export interface PlannedGroup {
  readonly name: string
  readonly part: 'warmup' | 'posterior'
  /** First label of `draw`, and the step to the next. */
  readonly labels: { readonly first: number; readonly step: number }
  readonly variables: readonly PlannedVariable[]
  /** Coordinates other than `chain` and `draw`. */
  readonly coordinates: readonly (Given | Counted)[]
}

/** A group of data, coordinates first. */
export interface DataGroup {
  readonly name: string
  readonly variables: readonly (Given | Counted)[]
}

export interface Plan {
  readonly drawn: readonly PlannedGroup[]
  readonly data: readonly DataGroup[]
  /** True where warmup was sampled to be forgotten: it has no groups. */
  readonly discardsWarmup: boolean
  /** Names of variables that have no place, with their groups. */
  readonly leftOut: readonly string[]
}

/** Elements of a value that no array of all draws has room for. */
const TOO_MANY_ELEMENTS = 2 ** 31
/** Axes of a variable with those of the draws, at most: HDF5 has no more, and NumPy had none for long. */
const MOST_AXES = 32

/** A variable, or a stat that several samplers have, before its axes are named. */
interface Wanted extends Unfitted {
  readonly dtype: Dtype
  readonly columns: readonly RigidColumn[]
}

export function planOf(schema: Schema, meta: RunMeta): Plan {
  const attribute = (name: string) => {
    const value = Object.hasOwn(meta.attributes ?? {}, name) ? meta.attributes?.[name] : undefined
    return value === undefined ? undefined : plainAttribute(value)
  }
  const leftOut: string[] = []
  const coords = new Map((meta.coordinates ?? []).map(({ name, values }) => [name ?? '', new Labels(values ?? {})]))
  const hidden = unconstrainedNames(schema, attribute)
  const variables = rigid([...schema.draws.values()], (spec) => groupOf(spec, hidden), leftOut)
  const dims = dimsOf(schema, meta)
  const wanted = variables.map((spec) => wantedOf(spec.name, [spec], dims))
  const stats = rigid(shownStats(schema, attribute(STATS_AS_THEY_ARE)), () => 'sample_stats', leftOut)
  const bases = [
    { name: 'posterior', wanted: wanted.filter(({ name }) => !hidden.has(name)) },
    { name: 'unconstrained_posterior', wanted: wanted.filter(({ name }) => hidden.has(name)) },
    { name: 'sample_stats', wanted: namedStats(stats, attribute(STATS_AS_THEY_ARE), dims) },
  ]
  const labels = attribute(DRAW_LABELS)
  const absent = attribute(ABSENT)
  return {
    drawn: bases.flatMap((base) => drawnGroups(base, coords, labels, absent)),
    data: dataGroups(meta, coords, leftOut),
    discardsWarmup: attribute('discard_tuned_samples') === true,
    leftOut,
  }
}

function groupOf({ name }: ColumnSpec, hidden: ReadonlySet<string>): string {
  return hidden.has(name) ? 'unconstrained_posterior' : 'posterior'
}

/**
 * The variables that the sampler sees in the place of those that the model names, such as `tau_log__` of `tau`. Runs that do not
 * list them are PyMC's, or older: then names of the form that PyMC gives count, if the run also has the variable itself.
 */
function unconstrainedNames(schema: Schema, attribute: (name: string) => JsonValue | undefined): ReadonlySet<string> {
  const listed = attribute(UNCONSTRAINED)
  if (Array.isArray(listed)) return new Set(listed.filter((name) => typeof name === 'string'))
  if ((attribute('inference_library') ?? 'pymc') !== 'pymc') return new Set()
  return new Set([...schema.draws.keys()].filter((name) => isTransformed(name, schema.draws)))
}

function isTransformed(name: string, names: ReadonlyMap<string, unknown>): boolean {
  if (!name.endsWith('__')) return false
  const stem = name.slice(0, -2)
  for (let end = stem.indexOf('_'); end >= 0; end = stem.indexOf('_', end + 1)) {
    if (names.has(stem.slice(0, end))) return true
  }
  return false
}

/** The stats that have a place: those that a stored result had, or all without warmup's flags, which the groups tell. */
function shownStats(schema: Schema, asTheyAre: JsonValue | undefined): readonly ColumnSpec[] {
  if (Array.isArray(asTheyAre)) {
    const names = new Set(asTheyAre.filter((name) => typeof name === 'string'))
    return [...names].flatMap((name) => schema.stats.get(name) ?? [])
  }
  const flags = new Set(warmupFlags(schema))
  // PyMC's pickled warnings are text that is far larger than all draws, and that nobody unpickles.
  const isWarning = ({ name, dtype }: ColumnSpec) => dtype === 'str' && ownName(name) === 'warning'
  return [...schema.stats.values()].filter((spec) => !flags.has(spec) && !isWarning(spec))
}

/** Those that arrays have a place for; the others are noted. */
function rigid(
  columns: readonly ColumnSpec[],
  group: (spec: ColumnSpec) => string,
  leftOut: string[],
): readonly RigidColumn[] {
  return columns.flatMap((spec) => {
    const isHeld =
      spec.layout === 'rigid' &&
      spec.elements < TOO_MANY_ELEMENTS &&
      spec.shape.length <= MOST_AXES - LEADING.length - 1
    if (isHeld) return [spec]
    leftOut.push(`${group(spec)}/${spec.name}`)
    return []
  })
}

type DimsOf = (spec: ColumnSpec) => readonly string[]

function dimsOf(schema: Schema, { variables, sampleStats }: RunMeta): DimsOf {
  const count = schema.draws.size
  return ({ index }) => (index < count ? variables?.[index]?.dims : sampleStats?.[index - count]?.dims) ?? []
}

function wantedOf(name: string, columns: readonly RigidColumn[], dims: DimsOf): Wanted {
  const [first] = columns
  const own = first?.shape ?? []
  const shape = columns.length === 1 ? own : [...own, columns.length]
  const dtype = promoted(columns.map((column) => column.dtype)) ?? 'str'
  return { name, shape, dims: first === undefined ? [] : dims(first), dtype, columns }
}

/** Bytes of a draw of stats side by side at most: all of them are held at once, with those that were not sent. */
const WIDEST_ROW = 16 * 1024 * 1024

function rowBytes(columns: readonly RigidColumn[]): number {
  return columns.reduce((sum, { elements, dtype }) => sum + elements * (dtype === 'str' ? 4 : ITEM_SIZE[dtype]), 0)
}

function namedStats(stats: readonly RigidColumn[], asTheyAre: JsonValue | undefined, dims: DimsOf): readonly Wanted[] {
  if (Array.isArray(asTheyAre)) return stats.map((stat) => wantedOf(stat.name, [stat], dims))
  const known = new Map(stats.map((stat) => [stat.name, stat]))
  const named = [...arvizNames(known.keys())].flatMap(([name, members]) => {
    const columns = members.flatMap((member) => known.get(member) ?? [])
    const kinds = new Set(columns.map(({ shape, dtype }) => `${shape}${dtype === 'str'}`))
    const isNarrow = columns.length === 1 || rowBytes(columns) <= WIDEST_ROW
    if (kinds.size === 1 && isNarrow) return [{ name, columns }]
    return columns.map((column) => ({ name: column.name, columns: [column] }))
  })
  const taken = new Set<string>()
  const free = new FreeNames()
  return named.map(({ name, columns }) => {
    const unique = free.find(name, (other) => taken.has(other))
    taken.add(unique)
    return wantedOf(unique, columns, dims)
  })
}

function drawnGroups(
  { name, wanted }: { readonly name: string; readonly wanted: readonly Wanted[] },
  coords: ReadonlyMap<string, Labels>,
  labels: JsonValue | undefined,
  absent: JsonValue | undefined,
): readonly PlannedGroup[] {
  if (wanted.length === 0) return []
  const axes = fitAxes(wanted, coords, LEADING)
  const planned = wanted.map(({ shape, dtype, columns }, i): PlannedVariable => {
    const { name: given = '', dims = [] } = axes.fitted[i] ?? {}
    return { name: given, dims: [...LEADING, ...dims], shape, dtype, columns }
  })
  const whole = { variables: planned, coordinates: coordinatesOf(planned, axes) }
  const parts = [
    { part: 'warmup', prefix: 'warmup_' },
    { part: 'posterior', prefix: '' },
  ] as const
  return parts.flatMap(({ part, prefix }) => {
    const lacking = new Set(memberOf(absent, prefix + name))
    const variables = lacking.size === 0 ? planned : planned.filter((_, i) => !lacking.has(wanted[i]?.name ?? ''))
    if (variables.length === 0) return []
    const content = variables === planned ? whole : { variables, coordinates: coordinatesOf(variables, axes) }
    return [{ name: prefix + name, part, labels: drawLabels(memberOf(labels, `${prefix}posterior`)), ...content }]
  })
}

function memberOf(value: JsonValue | undefined, name: string): readonly JsonValue[] {
  const member = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return Array.isArray(member) ? member : []
}

function drawLabels([first, step]: readonly JsonValue[]): { readonly first: number; readonly step: number } {
  const isPair = Number.isSafeInteger(first) && Number.isSafeInteger(step)
  return isPair ? { first: Number(first), step: Number(step) } : { first: 0, step: 1 }
}

/** A coordinate for each axis of some variables, in the order in which they have them; the leading axes have none here. */
function coordinatesOf(
  variables: readonly { readonly dims: readonly string[]; readonly shape: readonly number[] }[],
  { labels }: Axes,
): readonly (Given | Counted)[] {
  const sizes = new Map<string, number>()
  for (const { dims, shape } of variables) {
    const leading = dims.length - shape.length
    for (const [axis, size] of shape.entries()) sizes.set(dims[leading + axis] ?? '', size)
  }
  return [...sizes].map(([dim, size]) => {
    const described = labels.get(dim)?.described
    if (described === undefined) return counted(dim, size, { first: 0, step: 1 })
    return given(dim, [dim], described.array, described.attributes)
  })
}

const NO_ATTRIBUTES: Attributes = {}

/** Labels that count, along an axis of their name. */
export function counted(
  dim: string,
  size: number,
  { first, step }: { readonly first: number; readonly step: number },
): Counted {
  return {
    kind: 'counted',
    name: dim,
    dims: [dim],
    shape: [size],
    dtype: 'int64',
    attributes: NO_ATTRIBUTES,
    first,
    step,
  }
}

export function given(name: string, dims: readonly string[], array: Given['array'], attributes: Attributes): Given {
  return { kind: 'given', name, dims, shape: array.shape, dtype: array.dtype, attributes, array }
}

function dataGroups(meta: RunMeta, coords: ReadonlyMap<string, Labels>, leftOut: string[]): readonly DataGroup[] {
  const groups = [
    { name: 'observed_data', isObserved: true },
    { name: 'constant_data', isObserved: false },
  ]
  return groups.flatMap(({ name, isObserved }) => {
    const own = (meta.data ?? []).filter((item) => (item.isObserved ?? false) === isObserved)
    const items = [...new Map(own.map((item) => [item.name ?? '', item])).values()].flatMap((item) => {
      const described = (item.value?.shape?.length ?? 0) > MOST_AXES ? undefined : describedOf(item.value ?? {})
      if (described === undefined) {
        leftOut.push(`${name}/${item.name ?? ''}`)
        return []
      }
      return [{ name: item.name ?? '', shape: described.array.shape, dims: item.dims ?? [], described }]
    })
    if (items.length === 0) return []
    const axes = fitAxes(items, coords, [])
    const variables = items.map(({ described: { array, attributes } }, i) => {
      const { name: fitted = '', dims = [] } = axes.fitted[i] ?? {}
      return given(fitted, dims, array, attributes)
    })
    return [{ name, variables: [...coordinatesOf(variables, axes), ...variables] }]
  })
}
