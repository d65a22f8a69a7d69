/** The columns of a run as the page needs them: parsed metadata, and names of elements. */
import { statsCalled } from '../../../src/core/diagnostics/checks/stat-names.ts'
import { buildSchema, type ColumnSpec, type Schema } from '../../../src/core/draws/columns.ts'
import { ElementNames } from '../../../src/core/draws/labels.ts'
import { decodeNdArray } from '../../../src/core/draws/ndarray.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { warmupFlag } from '../../../src/core/warmup.ts'
import type { RunMetaJson } from '../api/shapes.ts'
import type { OpenedRun, ScalarRef } from '../draws/questions.ts'

export interface RunColumn {
  readonly group: 'draws' | 'stats'
  readonly name: string
  readonly dtype: string
  /** -1 where a dimension varies; null when even their number does. */
  readonly shape: readonly number[] | null
  readonly dims: readonly string[]
  readonly isDeterministic: boolean
  /** Elements of one draw; 0 for strings and ragged columns, which have no scalars. */
  readonly scalars: number
}

export interface ObservedData {
  readonly name: string
  readonly dims: readonly string[]
  readonly shape: readonly number[]
  readonly isObserved: boolean
  /** Numbers or texts in C order; undefined for a dtype that is not known here. */
  readonly values: readonly (number | string)[] | undefined
}

/** A scalar with its name. */
export interface NamedScalar extends ScalarRef {
  readonly index: readonly number[]
  /** As summaries have it: `theta[Choate]`. */
  readonly label: string
}

export class RunSchema {
  readonly columns: readonly RunColumn[]
  readonly hasWarmup: boolean
  private readonly meta: RunMetaJson
  private readonly arrays: readonly { readonly name: string; readonly values: Bytes | null }[]
  private texts: ReadonlyMap<string, readonly string[]> | undefined
  private readonly schema: Schema
  private readonly names: ElementNames
  private readonly places = new Map<string, ReadonlyMap<string, number>>()
  private readonly labels = new Map<string, NamedScalar>()

  constructor(meta: RunMetaJson) {
    this.meta = meta
    this.schema = buildSchema(meta.variables, meta.sampleStats, DEFAULT_LIMITS)
    this.hasWarmup = warmupFlag(this.schema) !== undefined
    this.arrays = meta.coordinates.map(({ name, values }) => ({ name, values: bytesOf(values) }))
    this.names = new ElementNames({ ...meta, rid: '', attributes: {}, data: [], coordinates: [...this.arrays] })
    this.columns = this.schema.columns.map((spec) => this.columnOf(spec))
  }

  /** Labels of coordinates, by dimension. */
  get coordinates(): ReadonlyMap<string, readonly string[]> {
    // There may be very many, of which a first picture needs none.
    this.texts ??= new Map(this.arrays.map(({ name, values }) => [name, textsOf(values) ?? []]))
    return this.texts
  }

  /** Columns of numbers of fixed shape. */
  get numeric(): readonly RunColumn[] {
    return this.columns.filter(({ scalars }) => scalars > 0)
  }

  column(group: 'draws' | 'stats', name: string): RunColumn | undefined {
    return this.columns.find((column) => column.group === group && column.name === name)
  }

  /** Scalars of all variables, or of all stats. */
  countOf(group: 'draws' | 'stats'): number {
    return this.columns.reduce((sum, column) => sum + (column.group === group ? column.scalars : 0), 0)
  }

  scalar(group: 'draws' | 'stats', name: string, element: number): NamedScalar {
    const spec = this.schema[group].get(name)
    if (spec === undefined) throw new Error(`the run has no "${name}"`)
    const { index, label } = this.names.of(spec, element)
    return { group, name, element, index, label }
  }

  /** Stats of one number that ArviZ calls by this name: one for each sampler of a compound one that has it. */
  statsCalled(arviz: string): readonly NamedScalar[] {
    return statsCalled(arviz, this.schema).map(({ name }) => this.scalar('stats', name, 0))
  }

  /** The scalar of this label; undefined when there is none. Variables come before stats of the same name. */
  find(label: string): NamedScalar | undefined {
    const known = this.labels.get(label)
    if (known !== undefined) return known
    for (const column of this.columns) {
      if (column.scalars === 0 || !label.startsWith(column.name)) continue
      const scalar = this.guessed(column, label) ?? this.searched(column, label)
      if (scalar === undefined) continue
      this.labels.set(label, scalar)
      return scalar
    }
    return undefined
  }

  /** The element whose labels are those in the brackets: going through all names takes long where there are thousands. */
  private guessed({ group, name, shape, dims }: RunColumn, label: string): NamedScalar | undefined {
    if (shape === null) return undefined
    const inside = label.slice(name.length + 1, -1)
    const parts = shape.length === 1 ? [inside] : inside.split(',')
    if (parts.length !== shape.length) return undefined
    let element = 0
    for (const [axis, size] of shape.entries()) {
      const part = parts[axis] ?? ''
      const position = this.placesIn(dims[axis] ?? '').get(part) ?? Number(part)
      if (!Number.isInteger(position) || position < 0 || position >= size) return undefined
      element = element * size + position
    }
    const scalar = this.scalar(group, name, element)
    return scalar.label === label ? scalar : undefined
  }

  private searched({ group, name, scalars }: RunColumn, label: string): NamedScalar | undefined {
    for (let element = 0; element < scalars; element++) {
      const scalar = this.scalar(group, name, element)
      if (scalar.label === label) return scalar
    }
    return undefined
  }

  /** Places of labels along a dimension; the first where one is there twice. */
  private placesIn(dim: string): ReadonlyMap<string, number> {
    let found = this.places.get(dim)
    if (found === undefined) {
      const labels = this.coordinates.get(dim) ?? []
      found = new Map(labels.map((text, i): [string, number] => [text, i]).reverse())
      this.places.set(dim, found)
    }
    return found
  }

  /** Data of the model, decoded when they are asked for. */
  data(): readonly ObservedData[] {
    return this.meta.data.map(({ name, dims, value, isObserved }) => ({
      name,
      dims,
      isObserved,
      shape: value?.shape ?? [],
      values: valuesOf(bytesOf(value)),
    }))
  }

  opened(rid: string, registration: string, key: string | undefined): OpenedRun {
    const columns = this.columns.map(({ group, name, dtype, shape }) => ({ group, name, dtype, shape }))
    return { rid, registration, key, columns }
  }

  private columnOf(spec: ColumnSpec): RunColumn {
    const { variables, sampleStats } = this.meta
    const place = spec.group === 'draws' ? spec.index : spec.index - variables.length
    const given = (spec.group === 'draws' ? variables : sampleStats)[place]
    return {
      group: spec.group,
      name: spec.name,
      dtype: spec.dtype,
      shape: spec.shape,
      dims: given?.dims ?? [],
      isDeterministic: given?.isDeterministic ?? false,
      scalars: spec.kind === 'rigid-numbers' ? spec.elements : 0,
    }
  }
}

type ArrayJson = RunMetaJson['coordinates'][number]['values']

type Bytes = Omit<NonNullable<ArrayJson>, 'data'> & { readonly data: Uint8Array<ArrayBuffer> }

function bytesOf(array: ArrayJson): Bytes | null {
  if (array === undefined) return null
  const letters = atob(array.data)
  const data = new Uint8Array(letters.length)
  // Ten times as fast as `Uint8Array.from`, for megabytes of labels.
  for (let i = 0; i < letters.length; i++) data[i] = letters.charCodeAt(i)
  return { ...array, data }
}

function valuesOf(bytes: Bytes | null): readonly (number | string)[] | undefined {
  if (bytes === null) return undefined
  try {
    const { data } = decodeNdArray(bytes)
    const values: (number | string)[] = []
    for (const value of data) values.push(typeof value === 'string' ? value : Number(value))
    return values
  } catch {
    return undefined
  }
}

/** Labels of a list; undefined for arrays of other shapes. */
function textsOf(array: Bytes | null): readonly string[] | undefined {
  return array?.shape.length === 1 ? valuesOf(array)?.map(String) : undefined
}
