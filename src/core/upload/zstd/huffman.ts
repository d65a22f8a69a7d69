/** Literals of a Zstandard block (RFC 8878, 3.1.1.3.1), which are coded by Huffman. */
import { BackwardBits, readFse } from './tables.ts'

/** A decoding table by the next `log` bits: the symbol, and the bits that it takes. */
export interface Huffman {
  readonly log: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
}

const MOST_LOG = 11
const WEIGHTS_LOG = 6

/** A table as it stands in a stream, and the bytes that it takes there. @throws Error when it is none */
export function readHuffman(bytes: Uint8Array): { huffman: Huffman; length: number } {
  const head = bytes[0] ?? 0
  if (head >= 128) {
    const count = head - 127
    const length = 1 + ((count + 1) >> 1)
    if (length > bytes.length) throw new Error('a Huffman table is too short')
    const weights = Array.from({ length: count }, (_, i) => ((bytes[1 + (i >> 1)] ?? 0) >> (i % 2 === 0 ? 4 : 0)) & 15)
    return { huffman: tableOf(weights), length }
  }
  if (1 + head > bytes.length) throw new Error('a Huffman table is too short')
  return { huffman: tableOf(readWeights(bytes.subarray(1, 1 + head))), length: 1 + head }
}

function readWeights(bytes: Uint8Array): number[] {
  const { fse, length } = readFse(bytes, WEIGHTS_LOG, 255)
  const bits = new BackwardBits(bytes.subarray(length))
  const states: [number, number] = [bits.read(fse.log), bits.read(fse.log)]
  const weights: number[] = []
  for (let turn: 0 | 1 = 0; weights.length < 255; turn = turn === 0 ? 1 : 0) {
    const state = states[turn]
    weights.push(fse.symbols[state] ?? 0)
    states[turn] = (fse.bases[state] ?? 0) + bits.read(fse.bits[state] ?? 0)
    if (bits.left < 0) {
      weights.push(fse.symbols[states[turn === 0 ? 1 : 0]] ?? 0)
      return weights
    }
  }
  throw new Error('a Huffman table has too many weights')
}

function tableOf(given: readonly number[]): Huffman {
  const sum = given.reduce((total, weight) => total + (weight > 0 ? 1 << (weight - 1) : 0), 0)
  const log = 32 - Math.clz32(sum)
  const left = (1 << log) - sum
  if (sum === 0 || log > MOST_LOG || (left & (left - 1)) !== 0) throw new Error('a Huffman table is malformed')
  const weights = [...given, 32 - Math.clz32(left)]
  const symbols = new Uint8Array(1 << log)
  const bits = new Uint8Array(1 << log)
  let at = 0
  for (let weight = 1; weight <= log; weight++) {
    const span = 1 << (weight - 1)
    weights.forEach((own, symbol) => {
      if (own !== weight) return
      symbols.fill(symbol, at, at + span)
      bits.fill(log + 1 - weight, at, at + span)
      at += span
    })
  }
  if (at !== symbols.length) throw new Error('a Huffman table is malformed')
  return { log, symbols, bits }
}

/** Decodes one stream into `out`. @throws Error when it does not have so many symbols */
export function readSymbols({ log, symbols, bits }: Huffman, stream: Uint8Array, out: Uint8Array): void {
  const reader = new BackwardBits(stream)
  for (let i = 0; i < out.length; i++) {
    const index = reader.peek(log)
    out[i] = symbols[index] ?? 0
    reader.left -= bits[index] ?? 0
  }
  if (reader.left !== 0) throw new Error('a stream of literals has another length')
}

/** Decodes four streams, whose lengths stand before them. */
export function readFourStreams(huffman: Huffman, bytes: Uint8Array, out: Uint8Array): void {
  const quarter = (out.length + 3) >> 2
  if (bytes.length < 6 || 3 * quarter > out.length) throw new Error('four streams of literals are too short')
  let at = 6
  for (let i = 0; i < 4; i++) {
    const length = i < 3 ? (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8) : bytes.length - at
    if (at + length > bytes.length) throw new Error('four streams of literals are too short')
    readSymbols(
      huffman,
      bytes.subarray(at, at + length),
      out.subarray(i * quarter, i < 3 ? (i + 1) * quarter : undefined),
    )
    at += length
  }
}
