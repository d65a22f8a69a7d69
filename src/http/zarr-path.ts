/** Paths of keys in a Zarr hierarchy: the names in it are those of variables, which may hold any character but `/`. */

import type { Segment } from '../core/formats/zarr/keys.ts'
import type { AppContext } from './context.ts'

/**
 * The segments of the path behind the route's own. An encoded `/` parts nothing, and so does not lead to another array.
 * Readers that do not encode a `?` send what stands behind it as a query, of which this resource has none.
 */
export function pathSegments(c: AppContext): Segment[] {
  const { pathname, search } = new URL(c.req.url)
  const depth = c.req.routePath.split('/').length - 1
  const path = search.includes('/') ? pathname + search : pathname
  return path
    .split('/')
    .slice(depth)
    .map((sent) => ({ name: decoded(sent), sent }))
}

/** The segment as it is where it is not percent-encoded: a reader that does not encode `%` means itself. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
