/** A line of the list of runs as the API gives it. */
import type { RunSummary } from '../core/interfaces.ts'
import type { JsonObject } from '../core/json.ts'

/** A line of the list of runs in JSON. */
export function lineJson({ createdAt, updatedAt, ...run }: RunSummary): JsonObject {
  const { rid, ...more } = run
  return { rid, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString(), ...more }
}
