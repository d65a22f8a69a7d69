/** Skips of tests that need of a client what it lacks, as its driver says in `hello`. */
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import { sizeOf } from '../../src/core/draws/ndarray.ts'
import type { DrawBatch, Draws } from '../../src/core/interfaces.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { isList } from './wire.ts'

/** Ends the present test as skipped. */
export type Skip = (reason: string) => never

/** Capabilities that a client lacks, and what happens to tests that need them. */
export class Lacks {
  private readonly reasons: ReadonlyMap<string, string>
  private readonly skip: Skip

  constructor(reasons: ReadonlyMap<string, string>, skip: Skip) {
    this.reasons = reasons
    this.skip = skip
  }

  has(capability: string): boolean {
    return this.reasons.has(capability)
  }

  /** Goes on where the client has this; the test is skipped otherwise. */
  need(capability: string): void {
    const reason = this.reasons.get(capability)
    if (reason !== undefined) this.skip(`${capability}: ${reason}`)
  }

  /** True where the client can hold these draws of a variable. */
  holds(draws: Draws): boolean {
    const probe = new Lacks(this.reasons, () => {
      throw new Error('lacked')
    })
    try {
      probe.needDraws(draws)
      if (isList(draws)) probe.need('ragged')
      if ((isList(draws) ? draws : [draws]).some(({ dtype }) => dtype === 'str')) probe.need('str')
      return true
    } catch {
      return false
    }
  }

  needRun(meta: mcbackend.RunMeta.$Properties): void {
    const columns = [...(meta.variables ?? []), ...(meta.sampleStats ?? [])]
    if (columns.some(({ name }) => name?.includes('\u0000'))) this.need('nul')
    for (const { dtype, shape, undefinedNdim } of columns) {
      if (dtype === 'str') this.need('str')
      if (undefinedNdim || (shape ?? []).some((n) => Number(n) < 0)) this.need('ragged')
      if ((shape ?? []).some(isHuge)) this.need('huge-dims')
    }
  }

  needBatch({ count, draws, stats }: DrawBatch): void {
    const columns = [...draws.values(), ...(stats?.values() ?? [])]
    for (const column of columns) this.needDraws(column)
    const isTold = columns.length > 0 && columns.every((column) => countOf(column) === count)
    if (!isTold) this.need('count')
    if (count >= 1_000_000) this.need('million-draws')
  }

  needDraws(draws: Draws): void {
    for (const array of isList(draws) ? draws : [draws]) this.needArray(array)
  }

  needArray(array: NdArray): void {
    if (array.data.length !== sizeOf(array.shape))
      this.skip('JSON of drivers: an array has as many elements as its shape')
    if (array.shape.some(isHuge)) this.need('huge-dims')
    if (array.dtype === 'str') this.needTexts(array.data)
    if (array.dtype === 'bool' && array.data.some((byte) => byte > 1)) this.need('bool-bytes')
    if (this.has('int64') && isBig(array)) this.need('int64')
    if (this.has('nan-payload') && hasPayload(array)) this.need('nan-payload')
  }

  private needTexts(texts: readonly string[]): void {
    for (const text of texts) {
      if (!text.isWellFormed()) this.skip('JSON of drivers: half a surrogate pair cannot be sent in UTF-8')
      if (text.includes('\u0000')) this.need('nul')
    }
  }

  needSlice(...bounds: readonly (number | bigint | undefined)[]): void {
    for (const bound of bounds) {
      if (typeof bound === 'number' && !Number.isInteger(bound))
        this.skip('JSON of drivers: bounds of slices are integers')
      if (bound !== undefined && BigInt(bound) ** 2n > 2n ** 106n) this.need('big-slices')
    }
  }

  /** A value that is no array, and cannot be made one. */
  notAnArray(): never {
    return this.skip('JSON of drivers: a value is an array of some dtype')
  }

  /** Draws of a fixed shape, as a list. */
  noList(): never {
    return this.skip('JSON of drivers: draws of a fixed shape are one array')
  }
}

/** True for a dimension beyond those of most languages' arrays. */
const isHuge = (length: unknown): boolean => Number(length) >= 2 ** 31

function countOf(draws: Draws): number | undefined {
  return isList(draws) ? draws.length : draws.shape[0]
}

function isBig({ dtype, data }: NdArray): boolean {
  if (dtype !== 'int64' && dtype !== 'uint64') return false
  return Array.from(data).some((value) => value > 2n ** 53n || value < -(2n ** 53n))
}

/** True when a NaN has other bits than the usual one. */
function hasPayload(array: NdArray): boolean {
  if (array.dtype === 'float64') {
    const words = new BigUint64Array(array.data.slice().buffer)
    return array.data.some((value, i) => Number.isNaN(value) && words[i] !== 0x7ff8000000000000n)
  }
  if (array.dtype !== 'float32') return false
  const words = new Uint32Array(array.data.slice().buffer)
  return array.data.some((value, i) => Number.isNaN(value) && words[i] !== 0x7fc00000)
}
