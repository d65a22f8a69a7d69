/** The query of a list of runs (docs/protocol.md §9). A parameter that is not known is an error: it would find the wrong runs. */
import { McbError } from '../core/errors.ts'
import type { RunFilter } from '../core/finding.ts'
import type { RunQuery } from '../core/interfaces.ts'
import type { AppContext } from './context.ts'
import { pageQuery } from './params.ts'

const ATTRIBUTE = 'attr.'
const TIMES = ['since', 'until', 'updatedSince'] as const
const ONCE: readonly string[] = ['limit', 'cursor', 'q', 'archived', ...TIMES]
const ARCHIVED = ['true', 'false', 'any'] as const

/** @throws McbError `invalid_parameter` */
export function listQuery(c: AppContext): RunQuery {
  requireDecodable(c.req.url)
  const given = c.req.queries()
  for (const [name, values] of Object.entries(given)) requireKnown(name, values)
  const [q] = given.q ?? []
  const attr = Object.entries(given).flatMap(([name, values]) =>
    name.startsWith(ATTRIBUTE) ? values.map((value) => [name.slice(ATTRIBUTE.length), value] as const) : [],
  )
  return {
    ...pageQuery(c),
    q,
    tag: given.tag ?? [],
    attr,
    archived: archivedIn(given.archived?.[0]),
    ...Object.fromEntries(TIMES.map((name) => [name, timeIn(name, given[name]?.[0])])),
  }
}

/** A query that is no UTF-8, or names nothing, would else be taken for other words, or left out. */
function requireDecodable(url: string): void {
  const [, query = ''] = /\?([^#]*)/.exec(url) ?? []
  for (const parameter of query.split('&')) {
    if (parameter === '') continue
    if (parameter.startsWith('=')) throw new McbError('invalid_parameter', 'a parameter of the query has no name')
    try {
      decodeURIComponent(parameter)
    } catch {
      throw new McbError('invalid_parameter', 'the query is not UTF-8 that was percent-encoded')
    }
  }
}

function requireKnown(name: string, values: readonly string[]): void {
  const isKnown = ONCE.includes(name) || name === 'tag' || name.startsWith(ATTRIBUTE)
  if (!isKnown) {
    const known = [...ONCE, 'tag', 'attr.KEY'].join(', ')
    throw new McbError('invalid_parameter', `"${name}" is not known; a list of runs takes ${known}`)
  }
  if (ONCE.includes(name) && values.length > 1) {
    throw new McbError('invalid_parameter', `"${name}" is given ${values.length} times`)
  }
}

function archivedIn(text: string | undefined): RunFilter['archived'] {
  if (text === undefined) return undefined
  const archived = ARCHIVED.find((each) => each === text)
  if (archived !== undefined) return archived
  throw new McbError('invalid_parameter', '"archived" must be true, false or any')
}

/** The blank is a `+` that was not encoded. */
const TIME = /^(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d:\d\d)(\.\d{1,9})?(?:([Zz])|([+ -])(\d\d:\d\d)))?$/

/** A moment of RFC 3339, or the begin of a day in UTC. Fractions of a millisecond count as a whole one: no run has them. */
function timeIn(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const [, date = '', clock = '00:00:00', fraction = '', , sign = '+', offset = '00:00'] = TIME.exec(text) ?? []
  const whole = Date.parse(`${date}T${clock}Z`)
  // A day that no month has is counted on into the next one by some platforms.
  const isReal = !Number.isNaN(whole) && new Date(whole).toISOString().startsWith(`${date}T${clock}`)
  const [hours = 0, minutes = 0] = offset.split(':').map(Number)
  if (!isReal || hours > 23 || minutes > 59) {
    throw new McbError('invalid_parameter', `"${name}" must be a time as 2026-11-28T09:30:00Z, or a day as 2026-11-28`)
  }
  const shift = (hours * 60 + minutes) * 60_000 * (sign === '-' ? -1 : 1)
  return new Date(whole - shift + Math.ceil(Number(`0${fraction}`) * 1000))
}
