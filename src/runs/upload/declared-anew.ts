/** Documents that come when the run is registered: those that it can no longer take. */
import { McbError } from '../../core/errors.ts'
import type { Document } from '../../core/upload/document.ts'
import { groupOf } from '../../core/upload/layout.ts'
import { hasPlace } from '../../core/upload/registration.ts'
import type { Growth } from './growth.ts'

/** @throws McbError `run_conflict` */
export function requireFit(growth: Growth, node: string, earlier: Document | undefined, document: Document): void {
  const { rid } = growth.parts
  const isColumn = growth.draws.layout.columns.some(
    ({ warmup, posterior }) => warmup?.path === node || posterior?.path === node,
  )
  if (isColumn && !isSameGrid(earlier, document)) throw conflict(rid, `"${node}" is declared anew, and has draws`)
  if (earlier === undefined && document.kind === 'array' && hasPlace(groupOf(node))) {
    throw conflict(rid, `"${node}" came after its draws; write all groups with one call of DataTree.to_zarr`)
  }
  const [a, b] = [earlier?.kind === 'group' ? earlier : undefined, document.kind === 'group' ? document : undefined]
  if (node === '' && a !== undefined && JSON.stringify(a.attributes) !== JSON.stringify(b?.attributes ?? null)) {
    throw conflict(rid, 'another one was written here')
  }
}

export function conflict(rid: string, why: string): McbError {
  return new McbError('run_conflict', `run "${rid}" cannot be written here: ${why}; choose another id, or delete it`)
}

/** True where draws that are stored fit both declarations. */
function isSameGrid(a: Document | undefined, b: Document): boolean {
  if (a?.kind !== 'array' || b.kind !== 'array') return false
  const told = ({ shape, chunkShape, type, dims, codecs, fill }: typeof a) =>
    JSON.stringify([shape, chunkShape, type, dims, codecs, [...fill]])
  return told(a) === told(b)
}
