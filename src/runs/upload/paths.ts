/** Paths of a Zarr store as its writer sends them. */
import { McbError } from '../../core/errors.ts'

export const DOCUMENT = 'zarr.json'
/** Parts of a path at most. */
const PATH_PARTS = 64

export function isDocument(path: string): boolean {
  return path === DOCUMENT || path.endsWith(`/${DOCUMENT}`)
}

/** Path of the array or group that a document is of. */
export function nodeOf(path: string): string {
  return path === DOCUMENT ? '' : path.slice(0, -DOCUMENT.length - 1)
}

/** @throws McbError `invalid_parameter` */
export function requirePath(path: string): void {
  const parts = path.split('/')
  const isPath = parts.length <= PATH_PARTS && parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (!isPath) throw new McbError('invalid_parameter', `"${path}" is no path of a Zarr store`)
}
