/** Signs by which a writer shows how it goes about: it never tells when all is declared, nor when it has ended. */
import { type Documents, groupOf, isSampled } from '../../core/upload/layout.ts'
import { hasPlace } from '../../core/upload/registration.ts'

/** True where an array of draws is declared. */
export function hasDraws(documents: Documents): boolean {
  for (const [path, document] of documents) {
    if (document.kind === 'array' && isSampled(document) && hasPlace(groupOf(path))) return true
  }
  return false
}

/** True where several arrays of draws are declared, and none has a chunk. */
export function isDeclaredAhead(documents: Documents, chunks: Iterable<string>): boolean {
  const sampled = [...documents].filter(([, document]) => document.kind === 'array' && isSampled(document))
  const heads = sampled.map(([path]) => `${path}/`)
  for (const chunk of chunks) if (heads.some((head) => chunk.startsWith(head))) return false
  return sampled.length > 1
}
