/**
 * Draws that tell where they come from: each has the number of the batch that brought it and its iteration, and everything
 * else of it follows from these two. So a draw that is read says whose it is, and whether a bit of it is another one.
 */
import type { ColumnSpec, Schema } from '../../../src/core/draws/columns.ts'
import { type Bytes, packSegment, type Segment } from '../../../src/core/draws/segment.ts'
import { concatBytes } from '../../../src/core/wire/protobuf.ts'
import type { mcbackend } from '../../../src/core/wire/run-meta.ts'
import { encodeSegments } from '../../../src/core/wire/write-batch.ts'

/** The batch of each draw, by its number. */
export type Origins = readonly number[]

/** Columns of a run; its draws have `width` numbers. The first one is the tag. */
export function columnsOf(width: number): Pick<mcbackend.RunMeta.$Properties, 'variables' | 'sampleStats'> {
  return {
    variables: [
      { name: 'tag', dtype: 'uint32', shape: [2] },
      { name: 'x', dtype: 'float64', shape: [width] },
      { name: 'word', dtype: 'str', shape: [] },
      { name: 'ragged', dtype: 'uint8', shape: [-1] },
    ],
    sampleStats: [{ name: 'lp', dtype: 'uint32', shape: [] }],
  }
}

/** The batch of iterations from `start` on. */
export function bodyOf(schema: Schema, start: number, origins: Origins): Uint8Array<ArrayBuffer> {
  const columns = schema.columns.flatMap((spec) => {
    const data = segmentOf(spec, start, origins)
    return data === null ? [] : [{ spec, data }]
  })
  return encodeSegments(start, origins.length, columns)
}

/** Some consecutive draws of one column, or such that are `step` iterations apart. */
export function segmentOf(spec: ColumnSpec, first: number, origins: Origins, step = 1): Segment {
  const at = (i: number) => first + i * step
  switch (spec.name) {
    case 'tag':
      return wordsOf(origins.flatMap((origin, i) => [origin, at(i)]))
    case 'x':
      return concatBytes(
        origins.map((origin, i) => noise(origin, at(i), spec.layout === 'rigid' ? spec.elements * 2 : 0)),
      )
    case 'word':
      return stringsOf(
        spec,
        origins.map((origin, i) => new TextEncoder().encode(`${origin}é`.repeat((origin + at(i)) % 4))),
      )
    case 'ragged':
      return raggedOf(
        spec,
        origins.map((origin, i) => noise(origin, at(i), (origin + at(i)) % 3)),
      )
    case 'lp':
      // A stat that was not sent equals its fill, also where another batch sends that.
      return origins.every(isWithoutStat)
        ? null
        : wordsOf(origins.map((origin) => (isWithoutStat(origin) ? 0 : origin)))
    default:
      throw new Error(`there is no column "${spec.name}"`)
  }
}

function isWithoutStat(origin: number): boolean {
  return origin % 3 === 0
}

function wordsOf(words: readonly number[]): Bytes {
  return new Uint8Array(Uint32Array.from(words).buffer)
}

/** Bytes that differ from draw to draw, and in a draw. */
function noise(origin: number, iteration: number, words: number): Bytes {
  const all = new Uint32Array(words)
  let word = Math.imul(origin, 0x9e3779b1) ^ Math.imul(iteration + 1, 0x85ebca6b)
  for (let i = 0; i < words; i++) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i
    all[i] = word
  }
  return new Uint8Array(all.buffer)
}

function stringsOf(spec: ColumnSpec, strings: readonly Bytes[]): Bytes {
  const lengths = Uint32Array.from(strings.map(({ length }) => length))
  return packSegment(spec, { words: new Uint32Array(), lengths, payload: concatBytes(strings) })
}

function raggedOf(spec: ColumnSpec, draws: readonly Bytes[]): Bytes {
  const words = Uint32Array.from(draws.flatMap(({ length }) => [1, length]))
  return packSegment(spec, { words, lengths: new Uint32Array(), payload: concatBytes(draws) })
}

/** Origins and iterations in draws of the tag. */
export function tagsIn(data: Bytes): [origin: number, iteration: number][] {
  const words = new Uint32Array(data.slice().buffer)
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i] ?? 0, words[2 * i + 1] ?? 0])
}
