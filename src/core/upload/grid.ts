/** Regular grids of chunks: keys of chunks, and boxes of elements that are copied between chunks and whole arrays. */
import { sizeOf } from '../draws/ndarray.ts'
import type { Bytes } from '../draws/segment.ts'
import type { Elements } from './chunk.ts'
import type { ArrayDocument } from './document.ts'

/** The chunk that a key names, by its place on each axis; undefined where the key is none, or lies outside of the grid. */
export function chunkOfKey(array: ArrayDocument, key: string): number[] | undefined {
  const { keys, grid } = array
  if (grid.length === 0) return key === keyOfChunk(array, []) ? [] : undefined
  const head = keys.prefix === '' ? '' : keys.prefix + keys.separator
  if (!key.startsWith(head)) return undefined
  const parts = key.slice(head.length).split(keys.separator)
  if (parts.length !== grid.length) return undefined
  const chunk = parts.map(Number)
  const isInGrid = parts.every((part, axis) => INDEX.test(part) && Number(part) < (grid[axis] ?? 0))
  return isInGrid ? chunk : undefined
}

const INDEX = /^(0|[1-9]\d{0,14})$/

export function keyOfChunk({ keys }: ArrayDocument, chunk: readonly number[]): string {
  if (chunk.length === 0) return keys.prefix === '' ? '0' : keys.prefix
  const numbers = chunk.join(keys.separator)
  return keys.prefix === '' ? numbers : keys.prefix + keys.separator + numbers
}

/** Elements of an array, or of a box of it, that are gathered: numbers in one piece of memory, or texts. */
export interface Target {
  readonly elements: Bytes | string[]
  readonly shape: readonly number[]
}

export function emptyTarget({ type }: ArrayDocument, shape: readonly number[]): Target {
  const count = sizeOf(shape)
  return {
    shape,
    elements: type.dtype === 'str' ? new Array<string>(count).fill('') : new Uint8Array(count * type.itemSize),
  }
}

/** A box of elements: where it begins in each of two arrays, and its shape. */
export interface Box {
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly shape: readonly number[]
}

/** Copies a box from one array to another, both in C order. */
export function copyBox(
  source: { readonly elements: Elements; readonly shape: readonly number[] },
  target: Target,
  box: Box,
  itemSize: number,
): void {
  if (sizeOf(box.shape) === 0) return
  const axes = box.shape.length
  // Axes at the end that are whole in both arrays, and the one before them, are one run of elements.
  let axis = axes
  let run = 1
  while (axis > 0) {
    const length = box.shape[axis - 1] ?? 1
    run *= length
    axis--
    if (length !== source.shape[axis] || length !== target.shape[axis]) break
  }
  const sourceSteps = stepsOf(source.shape)
  const targetSteps = stepsOf(target.shape)
  const visit = (level: number, from: number, to: number) => {
    if (level === axis) return copyRun(source.elements, target.elements, from, to, run, itemSize)
    for (let i = 0; i < (box.shape[level] ?? 0); i++) {
      visit(level + 1, from + i * (sourceSteps[level] ?? 0), to + i * (targetSteps[level] ?? 0))
    }
  }
  visit(0, offsetOf(box.from, sourceSteps), offsetOf(box.to, targetSteps))
}

function copyRun(
  source: Elements,
  target: Bytes | string[],
  from: number,
  to: number,
  run: number,
  size: number,
): void {
  if (source instanceof Uint8Array && target instanceof Uint8Array) {
    target.set(source.subarray(from * size, (from + run) * size), to * size)
  } else if (!(source instanceof Uint8Array) && !(target instanceof Uint8Array)) {
    for (let i = 0; i < run; i++) target[to + i] = source[from + i] ?? ''
  }
}

function stepsOf(shape: readonly number[]): number[] {
  const steps: number[] = new Array(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    steps[axis] = step
    step *= shape[axis] ?? 1
  }
  return steps
}

function offsetOf(at: readonly number[], steps: readonly number[]): number {
  return at.reduce((offset, index, axis) => offset + index * (steps[axis] ?? 0), 0)
}

/** Chunks of which a box of an array has elements, by their places. */
export function* chunksOfBox(
  { chunkShape }: ArrayDocument,
  from: readonly number[],
  shape: readonly number[],
): Generator<number[]> {
  if (sizeOf(shape) === 0) return
  const first = chunkShape.map((length, axis) => Math.floor((from[axis] ?? 0) / length))
  const last = chunkShape.map((length, axis) => Math.floor(((from[axis] ?? 0) + (shape[axis] ?? 0) - 1) / length))
  const chunk = [...first]
  for (;;) {
    yield [...chunk]
    let axis = chunk.length - 1
    while (axis >= 0 && (chunk[axis] ?? 0) === (last[axis] ?? 0)) {
      chunk[axis] = first[axis] ?? 0
      axis--
    }
    if (axis < 0) return
    chunk[axis] = (chunk[axis] ?? 0) + 1
  }
}

/** The part of a chunk that lies in a box of its array; `from` is in the chunk, `to` in the box. */
export function overlap(
  { chunkShape, shape: whole }: ArrayDocument,
  chunk: readonly number[],
  from: readonly number[],
  shape: readonly number[],
): Box {
  const begin = chunkShape.map((length, axis) => Math.max((chunk[axis] ?? 0) * length, from[axis] ?? 0))
  const end = chunkShape.map((length, axis) =>
    Math.min(((chunk[axis] ?? 0) + 1) * length, (from[axis] ?? 0) + (shape[axis] ?? 0), whole[axis] ?? 0),
  )
  return {
    from: begin.map((at, axis) => at - (chunk[axis] ?? 0) * (chunkShape[axis] ?? 1)),
    to: begin.map((at, axis) => at - (from[axis] ?? 0)),
    shape: begin.map((at, axis) => Math.max(0, (end[axis] ?? 0) - at)),
  }
}
