/** Names of elements: `theta[3]`, or `theta[Choate]` where a coordinate has a label for it. */

import { isMcbError } from '../errors.ts'
import type { mcbackend, RunMeta } from '../wire/run-meta.ts'
import type { ColumnSpec } from './columns.ts'
import { decodeNdArray, sizeOf } from './ndarray.ts'
import { timeText } from './times.ts'

/** One element of a column, as people call it. */
export interface ElementName {
  /** Name of the column. */
  readonly variable: string
  /** Index along each axis, from 0; empty for a scalar. */
  readonly index: readonly number[]
  /** The name, with the labels of the coordinates, or indices where there are none, in brackets. */
  readonly label: string
}

/** Characters of a label of a coordinate that a name has: the labels are as long as their writer likes. */
const LABEL_CHARACTERS = 200

/** Names of the elements of a run's columns. A label is decoded when it is asked for: coordinates may have very many. */
export class ElementNames {
  private readonly meta: RunMeta
  private readonly coordinates: ReadonlyMap<string, mcbackend.Coordinate.$Properties>

  constructor(meta: RunMeta) {
    this.meta = meta
    this.coordinates = new Map((meta.coordinates ?? []).map((coordinate) => [coordinate.name ?? '', coordinate]))
  }

  /** @param element index into the flattened (C order) value of a column of fixed shape */
  of(spec: ColumnSpec, element: number): ElementName {
    const { name } = spec
    const shape = spec.layout === 'rigid' ? spec.shape : []
    if (shape.length === 0) return { variable: name, index: [], label: name }
    const dims = this.dimsOf(spec)
    const index = new Array<number>(shape.length).fill(0)
    for (let axis = shape.length - 1, rest = element; axis >= 0; axis--) {
      const length = shape[axis] ?? 1
      index[axis] = rest % length
      rest = Math.floor(rest / length)
    }
    const labels = index.map((at, axis) => this.labelAt(dims[axis], shape[axis] ?? 1, at) ?? String(at))
    return { variable: name, index, label: `${name}[${labels.join()}]` }
  }

  private dimsOf({ group, index }: ColumnSpec): readonly string[] {
    const { variables = [], sampleStats = [] } = this.meta
    const message = group === 'draws' ? variables[index] : sampleStats[index - variables.length]
    return message?.dims ?? []
  }

  /** The label of a coordinate that is a list of this length; undefined where there is none, or of a dtype not known here. */
  private labelAt(dim: string | undefined, length: number, at: number): string | undefined {
    const values = this.coordinates.get(dim ?? '')?.values
    if (values?.shape?.length !== 1 || Number(values.shape[0]) !== length || sizeOf([length]) === 0) return undefined
    const size = (values.data?.length ?? 0) / length
    const data = values.data?.subarray(at * size, (at + 1) * size) ?? new Uint8Array()
    try {
      const label = decodeNdArray({ ...values, shape: [1], data })
      return cut(textOf(label))
    } catch (error) {
      if (isMcbError(error, 'invalid_run_meta')) return undefined
      throw error
    }
  }
}

function textOf({ dtype, data: [value], unit }: ReturnType<typeof decodeNdArray>): string {
  if (unit !== undefined && typeof value === 'bigint') return timeText(value, unit)
  return dtype === 'bool' ? String(value !== 0) : String(value)
}

function cut(text: string): string {
  if (text.length <= LABEL_CHARACTERS) return text
  return `${text.slice(0, LABEL_CHARACTERS).replace(/[\ud800-\udbff]$/, '')}…`
}
