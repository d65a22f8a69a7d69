/** Settings of the sampler, as far as the run tells them. */
import { type TreeDepthLimit, treeDepthLimit } from '../../../../src/core/diagnostics/checks/tree-depth.ts'
import { isObject, type JsonObject, type JsonValue } from '../../../../src/core/json.ts'
import type { About } from '../../api/shapes.ts'

/** Names of the acceptance rate that warmup aims at: of PyMC, of Stan, of nutpie and NumPyro. */
const TARGETS = ['targetAccept', 'target_accept', 'adapt_delta', 'delta', 'target_accept_prob'] as const

export function limitOf(about: About | undefined, sampler: number): TreeDepthLimit {
  return treeDepthLimit(jsonObject(about?.facts), jsonObject(about?.attributes), sampler)
}

/** The acceptance rate that warmup aims at; undefined where nothing tells it. */
export function targetOf(about: About | undefined, sampler: number): number | undefined {
  const settings = jsonObject(jsonObject(about?.facts).settings)
  const attributes = jsonObject(about?.attributes)
  const step = Array.isArray(settings.steps) ? settings.steps[sampler] : undefined
  const places = [jsonObject(step), settings, jsonObject(settings.settings), jsonObject(settings.adapt), attributes]
  for (const source of places) {
    for (const name of TARGETS) {
      const value = source[name]
      const target = typeof value === 'string' ? Number(value) : value
      if (typeof target === 'number' && target > 0 && target < 1) return target
    }
  }
  return undefined
}

/** A value of parsed JSON as an object; an empty one for anything else. */
function jsonObject(value: unknown): JsonObject {
  return isJson(value) && isObject(value) ? value : {}
}

/** Answers are parsed from JSON, and hold nothing else. */
function isJson(value: unknown): value is JsonValue {
  return value !== undefined
}
