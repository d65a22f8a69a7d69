/** Arrays and draws as the JSON of drivers has them (conformance/drivers/README.md), and back. */
import { bytesOf, ITEM_SIZE, isNumericDtype } from '../../src/core/draws/dtype.ts'
import { type NdArray, numericArray, sizeOf } from '../../src/core/draws/ndarray.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { isRecord, ProtocolError } from './protocol.ts'

export interface WireArray {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Elements in C order, little-endian, in base64; absent for strings. */
  readonly data?: string
  readonly strings?: readonly string[]
}

export type WireDraws = WireArray | { readonly list: readonly WireArray[] }

export function arrayToWire(array: NdArray): WireArray {
  const shape = [...array.shape]
  if (array.dtype === 'str') return { dtype: 'str', shape, strings: [...array.data] }
  return { dtype: array.dtype, shape, data: Buffer.from(bytesOf(array.data)).toString('base64') }
}

export function drawsToWire(draws: Draws): WireDraws {
  return isList(draws) ? { list: draws.map(arrayToWire) } : arrayToWire(draws)
}

export function isList(draws: Draws): draws is readonly NdArray[] {
  return Array.isArray(draws)
}

/** @throws ProtocolError for all that is no array */
export function arrayFromWire(given: unknown): NdArray {
  const { dtype, shape, data, strings } = isRecord(given) ? given : {}
  if (typeof dtype !== 'string' || !isShape(shape)) throw new ProtocolError('an array has a dtype and a shape')
  const size = sizeOf(shape)
  const named = `an array of dtype "${dtype}" and shape [${shape}]`
  if (dtype === 'str') {
    if (!isTexts(strings)) throw new ProtocolError(`${named} has its elements in "strings"`)
    if (strings.length !== size) throw new ProtocolError(`${named} has ${size} strings, not ${strings.length}`)
    return { dtype, shape, data: strings }
  }
  if (!isNumericDtype(dtype)) throw new ProtocolError(`there is no dtype "${dtype}"`)
  if (typeof data !== 'string') throw new ProtocolError(`${named} has its bytes in "data", in base64`)
  const bytes = new Uint8Array(Buffer.from(data, 'base64'))
  const expected = size * ITEM_SIZE[dtype]
  if (bytes.length !== expected) throw new ProtocolError(`${named} has ${expected} bytes, not ${bytes.length}`)
  return numericArray(dtype, shape, bytes)
}

/** @throws ProtocolError for all that is no draws */
export function drawsFromWire(given: unknown): Draws {
  const list = isRecord(given) ? given.list : undefined
  return Array.isArray(list) ? list.map(arrayFromWire) : arrayFromWire(given)
}

/** Arrays by name, whatever the names. */
export function arraysFromWire(given: unknown): Map<string, NdArray> {
  if (!isRecord(given)) throw new ProtocolError('arrays come by name, in an object')
  return new Map(Object.entries(given).map(([name, array]) => [name, arrayFromWire(array)]))
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}
