/**
 * Documents of a Zarr v3 hierarchy: those of its groups have those of all that is in them inline, since readers find nothing
 * that no document names.
 *
 * https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html
 */

import type { Dtype } from '../../draws/dtype.ts'
import type { Attributes, AttributeValue, Group, Tree, TreeVariable } from '../../inference/tree.ts'
import { chunkShape } from './grid.ts'

/** Bytes of text, about, that are given at a time. */
const TEXT_STEP = 64 * 1024

/** The document of the root, in pieces: a run may have very many variables. */
export function* rootDocument({ attributes, groups }: Tree): Generator<string> {
  yield* consolidated(attributes, inTree(groups))
}

/** The document of a group, in pieces. */
export function* groupDocument({ attributes, variables }: Group): Generator<string> {
  yield* consolidated(attributes, inGroup(variables, ''))
}

/** The document of an array. */
export function arrayDocument(variable: TreeVariable): string {
  const { dtype, dims, shape } = variable
  const regular = { name: 'regular', configuration: { chunk_shape: chunkShape(variable) } }
  const keys = { name: 'default', configuration: { separator: '/' } }
  return (
    `{"zarr_format":3,"node_type":"array","shape":${JSON.stringify(shape)},"data_type":"${dataType(dtype)}",` +
    `"chunk_grid":${JSON.stringify(regular)},"chunk_key_encoding":${JSON.stringify(keys)},` +
    `"fill_value":${JSON.stringify(fillValue(dtype))},"codecs":${JSON.stringify([codecOf(dtype)])},` +
    `"attributes":${attributesText(variable.attributes)},"dimension_names":${JSON.stringify(dims)},` +
    '"storage_transformers":[]}'
  )
}

function* inTree(groups: readonly Group[]): Generator<[string, string]> {
  for (const { name, attributes, variables } of groups) {
    yield [name, `{"zarr_format":3,"node_type":"group","attributes":${attributesText(attributes)}}`]
    yield* inGroup(variables, `${name}/`)
  }
}

function* inGroup(variables: readonly TreeVariable[], before: string): Generator<[string, string]> {
  for (const variable of variables) yield [`${before}${variable.name}`, arrayDocument(variable)]
}

function* consolidated(attributes: Attributes, inside: Iterable<readonly [string, string]>): Generator<string> {
  let text = `{"zarr_format":3,"node_type":"group","attributes":${attributesText(attributes)},`
  text += '"consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{'
  let comma = ''
  for (const [path, document] of inside) {
    text += `${comma}${JSON.stringify(path)}:${document}`
    comma = ','
    if (text.length < TEXT_STEP) continue
    yield text
    text = ''
  }
  yield `${text}}}}`
}

function dataType(dtype: Dtype): string {
  return dtype === 'str' ? 'string' : dtype
}

function fillValue(dtype: Dtype): string | number | boolean {
  if (dtype === 'str') return ''
  if (dtype === 'bool') return false
  return dtype === 'float32' || dtype === 'float64' ? 'NaN' : 0
}

function codecOf(dtype: Dtype): object {
  if (dtype === 'str') return { name: 'vlen-utf8' }
  const hasOneByte = dtype === 'bool' || dtype === 'int8' || dtype === 'uint8'
  return hasOneByte ? { name: 'bytes' } : { name: 'bytes', configuration: { endian: 'little' } }
}

function attributesText(attributes: Attributes): string {
  const members = Object.entries(attributes).map(([name, value]) => `${JSON.stringify(name)}:${attributeText(value)}`)
  return `{${members.join()}}`
}

function attributeText(value: AttributeValue): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'bigint') return numberText(value)
  if ('dtype' in value) return listText(value)
  return JSON.stringify(value)
}

/** An array as a list; numbers of floating point are such for readers of JSON, too. */
function listText({ dtype, data }: Exclude<AttributeValue, string | number | bigint | readonly string[]>): string {
  if (dtype === 'str') return JSON.stringify(data)
  const isFloat = dtype === 'float32' || dtype === 'float64'
  const texts = Array.from<number | bigint, string>(data, (value) =>
    isFloat && Number.isSafeInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : numberText(value),
  )
  return `[${texts.join()}]`
}

/** JSON has no number that is none. */
function numberText(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isFinite(value)) return String(value)
  return `"${value}"`
}
