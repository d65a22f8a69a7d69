/** Rules of staged objects that hold on every storage: their paths, how many there may be, and what they count for. */
import { McbError } from './errors.ts'
import type { StagedObject } from './store.ts'
import { ROW_BYTES } from './usage.ts'

/** Bytes of a path in UTF-8 at most. */
export const STAGED_PATH_BYTES = 1024
/** Objects of a run at most. */
export const STAGED_OBJECTS = 100_000

const utf8 = new TextEncoder()

/** @throws McbError `invalid_parameter` for a path that is none, `payload_too_large` for one that is too long */
export function requireStagedPath(path: string): void {
  if (path === '' || !path.isWellFormed() || path.includes('\0')) {
    throw new McbError('invalid_parameter', 'the path of an object is a text without NUL, and not empty')
  }
  if (pathBytes(path) > STAGED_PATH_BYTES) {
    const detail = `the path of an object has at most ${STAGED_PATH_BYTES} bytes`
    throw new McbError('payload_too_large', detail, { limit: STAGED_PATH_BYTES })
  }
}

/** @param objects objects that the run has beside the one that is to come */
export function requireStagedRoom(rid: string, objects: number): void {
  if (objects < STAGED_OBJECTS) return
  const detail = `run "${rid}" has ${objects} objects that wait to become draws, and may have at most ${STAGED_OBJECTS}`
  throw new McbError('payload_too_large', detail, { limit: STAGED_OBJECTS })
}

/** Bytes that an object counts for. */
export function stagedBytes(path: string, size: number): number {
  return ROW_BYTES + pathBytes(path) + size
}

function pathBytes(path: string): number {
  return utf8.encode(path).length
}

/** The least text that is behind all texts which begin with `prefix`, in the order of their bytes; undefined where none is. */
export function behindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // No text has surrogates as code points.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

/** Objects in the order of the bytes of their paths, as databases have it: that of JavaScript differs beyond U+FFFF. */
export function byPath(objects: readonly StagedObject[]): StagedObject[] {
  return objects
    .map((object) => ({ object, key: utf8.encode(object.path) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ object }) => object)
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
