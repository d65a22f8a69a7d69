/** The metadata of a run, and the facts of it, from what a writer has declared. */
import type { LabelArray } from '../draws/ndarray.ts'
import { encodeNdArray, numericArray, sizeOf } from '../draws/ndarray.ts'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import type { google, mcbackend } from '../wire/run-meta.ts'
import { withTimes } from './cf-times.ts'
import type { Target } from './grid.ts'
import {
  type Documents,
  FLAG,
  groupOf,
  isPlacedGroup,
  type Layout,
  type Node,
  nameOf,
  rootOf,
  samplerSettings,
  withoutPrefix,
} from './layout.ts'

/** Reads all elements of an array. */
export type ReadArray = (node: Node) => Promise<Target>

/** Bytes of observed and constant data at most, as in the Python client. */
const MOST_DATA = 8 * 1024 * 1024
/** Labels of an axis at most. */
const MOST_LABELS = 1_000_000

export interface Declared {
  readonly meta: mcbackend.RunMeta.$Properties
  /** Numbers of the chains, in the order of the arrays' first axis. */
  readonly chains: readonly number[]
}

/** Metadata that shall be registered under `rid`. */
export async function declare(rid: string, documents: Documents, layout: Layout, read: ReadArray): Promise<Declared> {
  const variables = layout.columns.filter(({ group }) => group !== 'sample_stats')
  const stats = layout.columns.filter(({ group }) => group === 'sample_stats')
  const library = libraryOf(documents)
  const labels = await labelsOf(layout, read)
  const draws = drawLabels(labels)
  const attributes: Record<string, mcbackend.ExtendedValue.$Properties> = {
    ...(library !== undefined && { inference_library: { kind: 'stringValue', stringValue: library } }),
    'mcb.unconstrained': listAttribute(layout.unconstrained),
    'mcb.stats': listAttribute(stats.map(({ name }) => name)),
    ...(Object.keys(draws).length > 0 && { 'mcb.draw': structAttribute(draws) }),
    ...(Object.keys(layout.absent).length > 0 && { 'mcb.absent': structAttribute(layout.absent) }),
  }
  const flag = layout.hasFlag ? [{ name: FLAG, dtype: 'bool', shape: [], dims: [] }] : []
  const data = await dataOf(layout, read)
  const used = new Set([...layout.columns, ...data].flatMap(({ dims }) => [...(dims ?? [])]))
  const meta: mcbackend.RunMeta.$Properties = {
    rid,
    variables: variables.map(variableOf),
    sampleStats: [...stats.map(variableOf), ...flag],
    coordinates: coordinatesOf(labels, used),
    attributes,
    data,
  }
  return { meta, chains: chainNumbers(labels, layout.chains) }
}

function variableOf(column: Layout['columns'][number]): mcbackend.Variable.$Properties {
  const array = (column.posterior ?? column.warmup)?.array
  return { name: column.name, dtype: array?.type.dtype ?? '', shape: [...column.shape], dims: dimsOf(column) }
}

/** Names of axes where all have one. */
function dimsOf({ dims, shape }: { dims: readonly string[]; shape: readonly number[] }): string[] {
  return dims.length === shape.length && dims.every((name) => name !== '') ? [...dims] : []
}

/** The library that samples, as readers know it: nutpie writes the name of its engine. */
export function libraryOf(documents: Documents): string | undefined {
  if (rootOf(documents)?.attributes.sampler === 'nuts-rs') return 'nutpie'
  for (const path of ['', 'posterior', 'sample_stats', 'warmup_posterior']) {
    const document = documents.get(path)
    const name = document?.kind === 'group' ? document.attributes.inference_library : undefined
    if (typeof name === 'string' && name !== '') return name
  }
  return undefined
}

interface Labels {
  readonly group: string
  readonly dim: string
  readonly array: LabelArray
}

/** Numbers of the chains, in the order of the arrays' first axis. */
export async function chainsOf(layout: Layout, read: ReadArray): Promise<readonly number[]> {
  return chainNumbers(await labelsOf(layout, read, 'chain'), layout.chains)
}

/** Arrays of one axis that has their name, in groups that have a place; of all axes, or of one. */
async function labelsOf(layout: Layout, read: ReadArray, only?: string): Promise<Labels[]> {
  const found: Labels[] = []
  for (const node of [...layout.others].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1))) {
    const { array, path } = node
    if (only !== undefined && nameOf(path) !== only) continue
    if (array.shape.length !== 1 || array.dims[0] !== nameOf(path) || !hasPlace(groupOf(path))) continue
    if ((array.shape[0] ?? 0) > MOST_LABELS || array.type.isDuration === true) continue
    found.push({ group: groupOf(path), dim: nameOf(path), array: labelArray(node, await read(node)) })
  }
  return found
}

const ORDER = ['posterior', 'unconstrained_posterior', 'sample_stats', 'warmup_posterior']

function rank({ path }: Node): number {
  const at = ORDER.indexOf(groupOf(path))
  return at < 0 ? ORDER.length : at
}

const DATA = ['observed_data', 'constant_data']

export function hasPlace(group: string): boolean {
  return isPlacedGroup(withoutPrefix(group)) || DATA.includes(group)
}

export function labelArray({ array }: Node, { elements, shape }: Target): LabelArray {
  const { dtype, unit } = array.type
  if (dtype === 'str') return { dtype, shape, data: elements instanceof Uint8Array ? [] : elements }
  const numbers = numericArray(dtype, shape, elements instanceof Uint8Array ? elements : new Uint8Array())
  return unit === undefined ? withTimes(numbers, array.attributes) : { ...numbers, unit }
}

function coordinatesOf(labels: readonly Labels[], used: ReadonlySet<string>): mcbackend.Coordinate.$Properties[] {
  const taken = new Map<string, LabelArray>()
  for (const { dim, array } of labels) {
    if (dim !== 'chain' && dim !== 'draw' && used.has(dim) && !taken.has(dim)) taken.set(dim, array)
  }
  return [...taken]
    .filter(([, array]) => !isCounted(array))
    .map(([name, array]) => ({ name, values: encodeNdArray(array) }))
}

/** True for labels that count from 0, as those of an axis without labels do. */
function isCounted({ dtype, data, unit }: LabelArray): boolean {
  return dtype === 'int64' && unit === undefined && data.every((label, i) => label === BigInt(i))
}

function chainNumbers(labels: readonly Labels[], chains: number): number[] {
  const counted = Array.from({ length: chains }, (_, i) => i)
  const told = labels.find(({ dim, array }) => dim === 'chain' && array.dtype !== 'str')?.array
  if (told === undefined || told.dtype === 'str' || told.data.length !== chains) return counted
  const numbers = Array.from(told.data, Number)
  const areNumbers = numbers.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31)
  return areNumbers && new Set(numbers).size === chains ? numbers : counted
}

/** First label and step of the draws, where they do not count from 0. */
function drawLabels(labels: readonly Labels[]): Record<string, number[]> {
  const found: Record<string, number[]> = {}
  for (const { group, dim, array } of labels) {
    if (dim !== 'draw' || (group !== 'posterior' && group !== 'warmup_posterior') || array.dtype === 'str') continue
    const numbers = Array.from(array.data, Number)
    const first = numbers[0] ?? 0
    const step = numbers.length > 1 ? (numbers[1] ?? 0) - first : 1
    const isEven = numbers.every((n, i) => Number.isSafeInteger(n) && n === first + i * step)
    if (isEven && (first !== 0 || step !== 1) && numbers.length > 0) found[group] = [first, step]
  }
  return found
}

async function dataOf(layout: Layout, read: ReadArray): Promise<mcbackend.DataVariable.$Properties[]> {
  const data: mcbackend.DataVariable.$Properties[] = []
  let bytes = 0
  for (const group of DATA) {
    const nodes = layout.others.filter(({ path }) => groupOf(path) === group)
    for (const node of nodes.sort((a, b) => (a.path < b.path ? -1 : 1))) {
      const { array, path } = node
      const isLabels = array.shape.length === 1 && array.dims[0] === nameOf(path)
      const size = sizeOf(array.shape) * Math.max(8, array.type.itemSize)
      if (isLabels || array.type.isDuration === true || bytes + size > MOST_DATA) continue
      bytes += size
      const value = encodeNdArray(labelArray(node, await read(node)))
      data.push({ name: nameOf(path), value, dims: dimsOf(array), isObserved: group === 'observed_data' })
    }
  }
  return data
}

function listAttribute(names: readonly string[]): mcbackend.ExtendedValue.$Properties {
  return { kind: 'listValue', listValue: { values: names.map(protoOf) } }
}

function structAttribute(
  members: Readonly<Record<string, readonly (string | number)[]>>,
): mcbackend.ExtendedValue.$Properties {
  const fields = Object.entries(members).map(([name, list]): [string, google.protobuf.Value.$Properties] => [
    name,
    { kind: 'listValue', listValue: { values: list.map(protoOf) } },
  ])
  return { kind: 'structValue', structValue: { fields: Object.fromEntries(fields) } }
}

function protoOf(value: string | number): google.protobuf.Value.$Properties {
  if (typeof value === 'string') return { kind: 'stringValue', stringValue: value }
  return { kind: 'numberValue', numberValue: value }
}

/** Characters of JSON of all attributes that facts keep at most, as in the Python client. */
const MOST_ATTRIBUTES = 256 * 1024

/** Facts that are known when the run begins. */
export function firstFacts(documents: Documents, layout: Layout, now: Date): JsonObject {
  const settings = samplerSettings(documents)
  const attributes = rootOf(documents)?.attributes ?? {}
  const facts: Record<string, JsonValue> = { startedAt: now.toISOString() }
  if (settings === undefined) return { ...facts, ...resultFacts(documents) }
  const { sampler, sampler_version: version } = attributes
  const packages = typeof sampler === 'string' && typeof version === 'string' ? { [sampler]: version } : undefined
  return {
    ...facts,
    settings: { settings },
    expected: { draws: layout.rows.posterior, warmup: layout.rows.warmup },
    ...(packages !== undefined && { environment: { packages } }),
  }
}

/** Attributes of a result by group, by which readers give back the same, and what they tell of its making. */
function resultFacts(documents: Documents): JsonObject {
  const kept: Record<string, JsonValue> = {}
  let left = MOST_ATTRIBUTES
  for (const [path, document] of documents) {
    if (document.kind !== 'group' || (path !== '' && !hasPlace(path))) continue
    const { members, size } = keptMembers(document.attributes, left)
    left -= size
    if (size > 0) kept[path === '' ? '/' : path] = members
  }
  const told = (name: string) => ['/', ...ORDER].map((group) => member(kept[group], name)).find((v) => v !== undefined)
  const seconds = told('sampling_time')
  return {
    resultAttrs: kept,
    ...(typeof seconds === 'number' && seconds >= 0 && { samplingTime: seconds }),
  }
}

/** Attributes that fit into so many characters. */
function keptMembers(attributes: JsonObject, most: number): { readonly members: JsonObject; readonly size: number } {
  const members: Record<string, JsonValue> = {}
  let size = 0
  for (const [name, value] of Object.entries(attributes)) {
    const text = JSON.stringify(plain(value))
    if (size + text.length + name.length > most) continue
    size += text.length + name.length
    members[name] = losesNothing(value) ? value : { json: text }
  }
  return { members, size }
}

/** The time at which a result was made; `now` where it does not tell. */
export function finishedAt(documents: Documents, now: Date): string {
  for (const path of ['', ...ORDER]) {
    const document = documents.get(path)
    const told = document?.kind === 'group' ? document.attributes.created_at : undefined
    const time = typeof told === 'string' ? Date.parse(told) : Number.NaN
    if (!Number.isNaN(time)) return new Date(time).toISOString()
  }
  return now.toISOString()
}

function member(group: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(group) ? group[name] : undefined
}

/** False for what a merge patch would lose, a null that is a member, and for what looks as the form that keeps it. */
function losesNothing(value: JsonValue): boolean {
  if (value === null) return false
  if (!isObject(value)) return true
  const names = Object.keys(value)
  return !(names.length === 1 && names[0] === 'json') && Object.values(value).every(losesNothing)
}

function plain(value: JsonValue): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value
}
