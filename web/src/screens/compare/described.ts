/** A run as its differences to others are told: columns, coordinates, data, attributes, packages and tags. */
import type { About } from '../../api/shapes.ts'
import { count, significant } from '../../paint/number.ts'
import type { ObservedData, RunColumn, RunSchema } from '../../run/schema.ts'
import type { Described } from './differences.ts'

/** Characters of a text, and values of a list, that are shown. */
const LETTERS = 90
const VALUES = 6

export function describedRun(schema: RunSchema, { attributes, facts, tags }: About): readonly Described[] {
  return [
    ...schema.columns.map(describedColumn),
    ...[...schema.coordinates].map(([name, labels]): Described => {
      return { kind: 'coordinate', name, whole: JSON.stringify(labels), text: listText(labels, labels.length) }
    }),
    ...schema.data().map(describedData),
    ...Object.entries(attributes).map(([name, value]) => describedValue('attribute', name, value)),
    ...Object.entries(Object(facts.environment)).map(([name, value]) => describedValue('environment', name, value)),
    {
      kind: 'tags',
      name: '',
      whole: JSON.stringify(tags.toSorted()),
      text: tags.length === 0 ? 'none' : cut(tags.join(', ')),
    },
  ]
}

function describedColumn({ group, name, dtype, shape, dims, isDeterministic }: RunColumn): Described {
  const sizes = shape === null ? 'any shape' : shape.length === 0 ? 'scalar' : `[${shape.map(sizeText).join(', ')}]`
  const named = dims.length === 0 ? '' : ` (${dims.join(', ')})`
  const derived = isDeterministic ? ', deterministic' : ''
  const text = cut(`${dtype} ${sizes}${named}${derived}`)
  const whole = JSON.stringify([dtype, shape, dims, isDeterministic])
  return { kind: group === 'draws' ? 'variable' : 'sampler stat', name, whole, text }
}

function sizeText(size: number): string {
  return size < 0 ? 'varies' : String(size)
}

function describedData({ name, dims, shape, isObserved, values }: ObservedData): Described {
  const texts = (values ?? []).slice(0, VALUES).map(valueText)
  const sizes = shape.length === 0 ? '' : `[${shape.join(', ')}] `
  return {
    kind: 'data',
    name,
    whole: JSON.stringify([dims, shape, isObserved, values?.map(String)]),
    text: `${sizes}${isObserved ? 'observed ' : ''}${listText(texts, values?.length ?? 0)}`,
  }
}

function valueText(value: number | string): string {
  return typeof value === 'string' || Number.isInteger(value) ? String(value) : significant(value)
}

function describedValue(kind: 'attribute' | 'environment', name: string, value: unknown): Described {
  const whole = canonical(value)
  return { kind, name, whole, text: cut(typeof value === 'string' ? value : whole) }
}

function listText(values: readonly string[], length: number): string {
  const shown = values.slice(0, VALUES)
  return cut(shown.join(', ')) + (length > shown.length ? `, … (${count(length)})` : '')
}

function cut(text: string): string {
  const letters = [...text]
  return letters.length <= LETTERS ? text : `${letters.slice(0, LETTERS - 1).join('')}…`
}

/** JSON in which members have one order. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_name, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ) ?? 'null'
  )
}
