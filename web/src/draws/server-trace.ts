/** Traces of the server, for chains that are too long to be fetched before something is seen. */
import type { RigidNumbers } from '../../../src/core/draws/columns.ts'
import { formatElements } from '../../../src/core/draws/elements.ts'
import { JSON_TYPE } from '../../../src/core/media-types.ts'
import type { Part } from './chains.ts'
import { bucketsOf, type Span, spanOf } from './compute/trace.ts'
import type { Desk } from './desk.ts'
import { grouped } from './group.ts'
import type { TracedChain } from './questions.ts'

/** Elements that one trace of the server may be of, and values that it goes through on a small one. */
const MOST_ELEMENTS = 100
const MOST_VALUES = 2e7

export interface TracedScalar {
  readonly spec: RigidNumbers
  readonly element: number
}

interface Traced {
  readonly at: Float64Array
  readonly values: Float64Array
}

/** Traces of scalars, for each one those of each part. @throws ApiProblem; the reason of the signal */
export async function serverTraces(
  desk: Desk,
  scalars: readonly TracedScalar[],
  parts: readonly Part[],
  buckets: number,
): Promise<TracedChain[][]> {
  const span = spanOf(parts)
  const columns = grouped(scalars, ({ spec }) => spec)
  // Chains whose draws begin at one iteration have the same buckets.
  const together = [
    ...grouped(
      parts.filter(({ first, stop }) => first < stop),
      ({ first }) => first,
    ).values(),
  ]
  const found = new Map<string, Traced>()
  const asked = together.flatMap((group) =>
    [...columns].flatMap(([spec, members]) => {
      const elements = [...new Set(members.map(({ element }) => element))]
      return pieces(elements, group).map((some) =>
        ask(desk, { spec, elements: some, parts: group, span, buckets }, found),
      )
    }),
  )
  await Promise.all(asked)
  return scalars.map(({ spec, element }) =>
    parts.map((part) => traced(part, found.get(nameOf(spec, element, part.chain)))),
  )
}

interface Asked {
  readonly spec: RigidNumbers
  readonly elements: readonly number[]
  readonly parts: readonly Part[]
  readonly span: Span
  readonly buckets: number
}

async function ask(desk: Desk, asked: Asked, found: Map<string, Traced>): Promise<void> {
  const { spec, elements, parts, span, buckets } = asked
  const first = parts[0]?.first ?? 0
  const isAll = spec.elements === elements.length
  const query = new URLSearchParams([[spec.group === 'draws' ? 'var' : 'stat', spec.name]])
  if (!isAll) query.append('elem', formatElements(elements))
  for (const { chain } of parts) query.append('chain', String(chain))
  query.append('start', String(first))
  query.append('stop', String(Math.max(...parts.map(({ stop }) => stop))))
  query.append('buckets', String(bucketsOf(buckets, span, first)))
  const { run, requests } = desk.room
  const answer = await requests.json({ run, path: `/trace?${query}`, accept: JSON_TYPE, ...desk.waiting })
  const order = isAll ? [...elements].sort((a, b) => a - b) : elements
  listIn(answer, 'elements').forEach((each, i) => {
    for (const one of listIn(each, 'chains')) {
      const { chain } = Object(one)
      found.set(nameOf(spec, order[i] ?? 0, Number(chain)), {
        at: numbersIn(one, 'at'),
        values: numbersIn(one, 'values'),
      })
    }
  })
}

/** Draws of the part alone: the server may have more by now. */
function traced({ chain, warmup, length, stop }: Part, found: Traced | undefined): TracedChain {
  if (found === undefined) return { chain, warmup, length, at: new Float64Array(), values: new Float64Array() }
  const end = found.at.findIndex((at) => at >= stop)
  const count = end < 0 ? found.at.length : end
  return { chain, warmup, length, at: found.at.slice(0, count), values: found.values.slice(0, count) }
}

function nameOf({ index }: RigidNumbers, element: number, chain: number): string {
  return `${index}/${element}/${chain}`
}

function pieces(elements: readonly number[], parts: readonly Part[]): number[][] {
  const draws = parts.reduce((n, { first, stop }) => n + stop - first, 0)
  const each = Math.max(1, Math.min(MOST_ELEMENTS, Math.floor(MOST_VALUES / draws)))
  return Array.from({ length: Math.ceil(elements.length / each) }, (_, i) => elements.slice(i * each, (i + 1) * each))
}

function listIn(value: unknown, member: string): unknown[] {
  const list: unknown = Object(value)[member]
  return Array.isArray(list) ? list : []
}

/** Numbers of JSON: those that are not finite, or have too many digits, are strings. */
function numbersIn(value: unknown, member: string): Float64Array {
  return Float64Array.from(listIn(value, member), Number)
}
