/** Keys of a Zarr hierarchy of groups of arrays, as readers put them behind its address. */

import { McbError } from '../../errors.ts'

/** A name in a path, percent-decoded once, and as it was sent. */
export interface Segment {
  readonly name: string
  readonly sent: string
}

export type ZarrKey =
  | { readonly kind: 'root' }
  | { readonly kind: 'group'; readonly group: Segment }
  | { readonly kind: 'array'; readonly group: Segment; readonly variable: Segment }
  | {
      readonly kind: 'chunk'
      readonly group: Segment
      readonly variable: Segment
      readonly index: readonly number[]
    }
  /** A document of Zarr v2, for which readers look everywhere. */
  | { readonly kind: 'older' }

const DOCUMENT = 'zarr.json'
const OLDER = new Set(['.zgroup', '.zattrs', '.zarray', '.zmetadata'])
const INDEX = /^(0|[1-9]\d{0,14})$/

/**
 * The key that segments of a path name. One that no reader of this hierarchy asks for is refused, and not just missing:
 * a missing chunk reads as fill, also where a reader has cut a name at its `#`.
 *
 * @throws McbError `invalid_parameter`
 */
export function parseKey(segments: readonly Segment[]): ZarrKey {
  const [group, variable, mark, ...index] = segments
  const last = segments.at(-1)?.name ?? ''
  if (group !== undefined && variable !== undefined) {
    if (mark?.name === 'c' && index.every(({ name }) => INDEX.test(name))) {
      return { kind: 'chunk', group, variable, index: index.map(({ name }) => Number(name)) }
    }
    if (last === DOCUMENT && segments.length === 3) return { kind: 'array', group, variable }
  }
  if (last === DOCUMENT && segments.length === 1) return { kind: 'root' }
  if (last === DOCUMENT && segments.length === 2 && group !== undefined) return { kind: 'group', group }
  if (OLDER.has(last) && segments.length <= 3) return { kind: 'older' }
  throw new McbError(
    'invalid_parameter',
    'this is no key of a Zarr hierarchy, such as zarr.json, posterior/theta/zarr.json or posterior/theta/c/0/0',
  )
}

/** The thing that a segment names; readers that do not encode a `%` mean the name as they have sent it. */
export function named<T extends { readonly name: string }>(
  things: readonly T[],
  { name, sent }: Segment,
): T | undefined {
  return things.find((thing) => thing.name === name) ?? things.find((thing) => thing.name === sent)
}
