/** The golden files: messages of the reference implementation, and its own description of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LabelArray } from '../../src/core/draws/ndarray.ts'

const ROOT = fileURLToPath(new URL('../../conformance/golden/files/', import.meta.url))

export interface GoldenArray {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly values: readonly (string | boolean)[]
}

export interface GoldenRun {
  readonly arrays: { readonly [path: string]: GoldenArray }
  readonly canonical: { readonly [field: string]: unknown }
}

export interface GoldenColumn {
  readonly name: string
  readonly dtype: string
  /** Hex. */
  readonly data: string
  readonly shapes: readonly number[]
  readonly strings: readonly string[]
}

export interface GoldenBatch {
  readonly start: string
  readonly count: number
  readonly step: string
  readonly draws: readonly GoldenColumn[]
  readonly stats: readonly GoldenColumn[]
}

/** Names of the `.bin` files of a folder, without the ending. */
export function goldenNames(folder: string, prefix = ''): string[] {
  const names = readdirSync(`${ROOT}${folder}`).filter((name) => name.startsWith(prefix) && name.endsWith('.bin'))
  if (names.length === 0) throw new Error(`no golden files in ${folder}`)
  return names.map((name) => name.slice(0, -4)).sort()
}

export function goldenBytes(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(`${ROOT}${path}.bin`))
}

export function goldenRun(name: string): GoldenRun {
  return JSON.parse(readFileSync(`${ROOT}runmeta/${name}.json`, 'utf8'))
}

export function goldenBatch(name: string): GoldenBatch {
  return JSON.parse(readFileSync(`${ROOT}draws/${name}.json`, 'utf8'))
}

export function goldenText(path: string): string {
  return goldenFile(`${path}.txt`)
}

/** A file as it is. */
export function goldenFile(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8')
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** An array in the words of the golden files. */
export function describeArray(array: LabelArray): { shape: readonly number[]; values: (string | boolean)[] } {
  if (array.dtype === 'str') return { shape: array.shape, values: array.data }
  const { dtype, data } = array
  const size = data.BYTES_PER_ELEMENT
  const values: (string | boolean)[] = []
  for (let i = 0; i < data.length; i++) {
    if (dtype === 'bool') values.push(data[i] === 1)
    else if (dtype.startsWith('float')) values.push(hex(new Uint8Array(data.buffer, data.byteOffset + i * size, size)))
    else values.push(String(data[i]))
  }
  return { shape: array.shape, values }
}
