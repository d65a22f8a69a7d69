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
  /** Labels of coordinates, by dimension. */
  readonly coordinates: ReadonlyMap<string, readonly string[]>
  readonly hasWarmup: boolean
  private readonly meta: RunMetaJson
  private readonly schema: Schema
  private readonly names: ElementNames
  private readonly labels = new Map<string, NamedScalar>()

  constructor(meta: RunMetaJson) {
    this.meta = meta
    this.schema = buildSchema(meta.variables, meta.sampleStats, DEFAULT_LIMITS)
    this.hasWarmup = warmupFlag(this.schema) !== undefined
    const coordinates = meta.coordinates.map(({ name, values }) => ({ name, values: bytesOf(values) }))
    this.names = new ElementNames({ ...meta, rid: '', attributes: {}, data: [], coordinates })
    this.coordinates = new Map(meta.coordinates.map(({ name, values }) => [name, textsOf(values) ?? []]))
    this.columns = this.schema.columns.map((spec) => this.columnOf(spec))
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
      for (let element = 0; element < column.scalars; element++) {
        const scalar = this.scalar(column.group, column.name, element)
        if (scalar.label !== label) continue
        this.labels.set(label, scalar)
        return scalar
      }
    }
    return undefined
  }

  /** Data of the model, decoded when they are asked for. */
  data(): readonly ObservedData[] {
    return this.meta.data.map(({ name, dims, value, isObserved }) => ({
      name,
      dims,
      isObserved,
      shape: value?.shape ?? [],
      values: valuesOf(value),
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

function bytesOf(array: ArrayJson) {
  if (array === undefined) return null
  return { ...array, data: Uint8Array.from(atob(array.data), (letter) => letter.charCodeAt(0)) }
}

function valuesOf(array: ArrayJson): readonly (number | string)[] | undefined {
  const bytes = bytesOf(array)
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
function textsOf(array: ArrayJson): readonly string[] | undefined {
  return array?.shape.length === 1 ? valuesOf(array)?.map(String) : undefined
}
