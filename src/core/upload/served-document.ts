/** Documents as readers are given them: with those of all that is below, since over HTTP nobody can list these. */

import type { Bytes } from '../draws/segment.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { isObject, jsonText, parseJson } from '../json.ts'
import { type Documents, samplerSettings } from './layout.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * @param node path of the group or array
 * @param source gives a document as it was sent
 */
export function servedDocument(
  node: string,
  documents: Documents,
  source: (node: string) => Bytes | undefined,
): Bytes | undefined {
  const bytes = source(node)
  if (bytes === undefined || documents.get(node)?.kind !== 'group') return bytes
  const value = jsonOf(bytes)
  const head = node === '' ? '' : `${node}/`
  const below: Record<string, JsonValue> = {}
  for (const path of [...documents.keys()].filter((path) => path !== node && path.startsWith(head)).sort()) {
    const other = source(path)
    if (other !== undefined) below[path.slice(head.length)] = withoutConsolidated(jsonOf(other))
  }
  const settings = samplerSettings(documents)
  const isStats = node === 'sample_stats' && settings !== undefined
  const attributes = isObject(value.attributes) ? value.attributes : {}
  return encoder.encode(
    jsonText({
      ...value,
      // PyMC looks for it when nutpie comes back.
      ...(isStats && { attributes: { ...attributes, inference_library_settings: jsonText({ settings }) } }),
      consolidated_metadata: { kind: 'inline', must_understand: false, metadata: below },
    }),
  )
}

function jsonOf(bytes: Bytes): JsonObject {
  const value = parseJson(decoder.decode(bytes))
  return isObject(value) ? value : {}
}

function withoutConsolidated(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'consolidated_metadata'))
}
