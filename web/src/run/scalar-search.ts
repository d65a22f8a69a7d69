/** Scalars of a run by parts of their names: looked through as far as is needed, since there may be a million. */
import type { NamedScalar, RunSchema } from './schema.ts'

/** Scalars that are proposed at a time, and names that are looked through for them. */
const SHOWN = 50
const LOOKED_AT = 50_000

export interface Found {
  readonly options: readonly string[]
  readonly isMore: boolean
}

/** Names of variables' scalars that have all words of the text, whatever their case; those that begin with it come first. */
export function searchScalars(schema: RunSchema, text: string): Found {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const first = words[0] ?? ''
  const [beginning, having]: [string[], string[]] = [[], []]
  let isMore = false
  for (const label of labelsOf(schema)) {
    const lower = label.toLowerCase()
    if (!words.every((word) => lower.includes(word))) continue
    if (beginning.length >= SHOWN) {
      isMore = true
      break
    }
    ;(lower.startsWith(first) ? beginning : having).push(label)
  }
  const options = [...beginning, ...having]
  return { options: options.slice(0, SHOWN), isMore: isMore || options.length > SHOWN || isCutOff(schema) }
}

function isCutOff(schema: RunSchema): boolean {
  return schema.countOf('draws') > LOOKED_AT
}

const known = new WeakMap<RunSchema, readonly string[]>()

function labelsOf(schema: RunSchema): readonly string[] {
  const labels = known.get(schema) ?? scalarsOf(schema, LOOKED_AT).map(({ label }) => label)
  known.set(schema, labels)
  return labels
}

/** The first scalars of variables. */
export function scalarsOf(schema: RunSchema, most: number): readonly NamedScalar[] {
  const found: NamedScalar[] = []
  for (const { group, name, scalars } of schema.numeric) {
    if (group !== 'draws') continue
    for (let element = 0; element < scalars && found.length < most; element++) {
      found.push(schema.scalar('draws', name, element))
    }
  }
  return found
}
