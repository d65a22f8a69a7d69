/** The greatest depth of a tree that NUTS may build, from what is told of a run beside its draws. */
import { isObject, type JsonObject, type JsonValue } from '../../json.ts'

export interface TreeDepthLimit {
  readonly depth: number
  /** True where nothing tells the limit, and it is taken to be the default of Stan, PyMC and nutpie. */
  readonly isAssumed: boolean
}

const DEFAULT_DEPTH = 10

/** Names of the setting: of Stan, of PyMC's and of its own facts, of nutpie. */
const NAMES = ['max_depth', 'max_treedepth', 'maxTreedepth', 'maxdepth', 'max_tree_depth'] as const

/**
 * The limit for one sampler.
 *
 * @param facts facts of the run: `settings`, also within itself as nutpie has them, or by step method as PyMC has them
 * @param attributes attributes of the run, as plain JSON
 * @param sampler its number within a compound one
 */
export function treeDepthLimit(facts: JsonObject, attributes: JsonObject, sampler = 0): TreeDepthLimit {
  const settings = objectOf(facts.settings)
  const steps = settings.steps
  const step = Array.isArray(steps) ? objectOf(steps[sampler]) : {}
  for (const source of [step, settings, objectOf(settings.settings), attributes, objectOf(attributes.settings)]) {
    const depth = depthIn(source)
    if (depth !== undefined) return { depth, isAssumed: false }
  }
  return { depth: DEFAULT_DEPTH, isAssumed: true }
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {}
}

/** Stan's settings come as text where they were read from a file. */
function depthIn(source: JsonObject): number | undefined {
  for (const name of NAMES) {
    const value = source[name]
    const depth = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value
    if (typeof depth === 'number' && Number.isInteger(depth) && depth > 0) return depth
  }
  return undefined
}
