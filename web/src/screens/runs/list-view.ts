/** The list as the address names it: what is searched, shown, and in which order. */
import type { ListQuery } from '../../api/run.ts'

export const SHOWN = ['all', 'live', 'problem', 'silent', 'done'] as const
/** States that are shown; `problem` are runs whose checks have failed. */
export type Shown = (typeof SHOWN)[number]

export const SORTS = [
  'state',
  'name',
  'started',
  'chains',
  'draws',
  'rate',
  'rhat',
  'ess',
  'divergences',
  'bfmi',
  'eta',
] as const
export type Sort = (typeof SORTS)[number]

export interface ListView {
  /** Part of rid or name. */
  readonly q: string
  readonly tags: readonly string[]
  /** Begin and end of registrations: RFC 3339 or a day. */
  readonly since: string
  readonly until: string
  /** Attributes and their values. */
  readonly attr: readonly (readonly [key: string, value: string])[]
  readonly archived: 'false' | 'true' | 'any'
  readonly shown: Shown
  readonly sort: Sort
  readonly order: 'rising' | 'falling'
}

export const FIRST_LIST: ListView = {
  q: '',
  tags: [],
  since: '',
  until: '',
  attr: [],
  archived: 'false',
  shown: 'all',
  sort: 'started',
  order: 'falling',
}

const ATTRIBUTE = 'attr.'

type Query = readonly (readonly [name: string, value: string])[]

export function listViewOf(query: Query): ListView {
  const last = (name: string) => query.findLast(([each]) => each === name)?.[1] ?? ''
  const order = last('sort')
  const sort = SORTS.find((each) => each === order.replace(/^-/, ''))
  return {
    q: last('q'),
    tags: [...new Set(query.flatMap(([name, value]) => (name === 'tag' && value !== '' ? [value] : [])))],
    since: last('since'),
    until: last('until'),
    attr: query.flatMap(([name, value]) =>
      name.startsWith(ATTRIBUTE) && name !== ATTRIBUTE ? [[name.slice(ATTRIBUTE.length), value] as const] : [],
    ),
    archived: (['true', 'any'] as const).find((each) => each === last('archived')) ?? 'false',
    shown: SHOWN.find((each) => each === last('state')) ?? 'all',
    ...(sort !== undefined
      ? { sort, order: order.startsWith('-') ? ('falling' as const) : ('rising' as const) }
      : { sort: FIRST_LIST.sort, order: FIRST_LIST.order }),
  }
}

/** The part of an address that names a view: what is as at first is left out. */
export function listQueryOf(view: ListView): Query {
  const { q, tags, since, until, attr, archived, shown, sort, order } = view
  const isFirstOrder = sort === FIRST_LIST.sort && order === FIRST_LIST.order
  const parts: [string, string][] = [
    ['q', q],
    ...tags.map((tag): [string, string] => ['tag', tag]),
    ['since', since],
    ['until', until],
    ...attr.map(([key, value]): [string, string] => [`${ATTRIBUTE}${key}`, value]),
    ['archived', archived === 'false' ? '' : archived],
    ['state', shown === 'all' ? '' : shown],
    ['sort', isFirstOrder ? '' : `${order === 'falling' ? '-' : ''}${sort}`],
  ]
  return parts.filter(([name, value]) => value !== '' || name.startsWith(ATTRIBUTE))
}

/** The question to the server: state and order are the page's own. */
export function serverQuery({ q, tags, since, until, attr, archived }: ListView): ListQuery {
  return {
    ...(q !== '' && { q }),
    ...(tags.length > 0 && { tag: tags }),
    ...(since !== '' && { since }),
    ...(until !== '' && { until }),
    ...(attr.length > 0 && { attr }),
    ...(archived !== 'false' && { archived }),
  }
}

/** True where something is asked for, so that an empty list does not mean that there are no runs. */
export function isFiltered(view: ListView): boolean {
  return view.shown !== 'all' || Object.keys(serverQuery(view)).length > 0
}

/** The first order of each column: worst, newest or largest first; names from A. */
const FIRST_ORDERS: Readonly<Record<Sort, ListView['order']>> = {
  state: 'rising',
  name: 'rising',
  started: 'falling',
  chains: 'falling',
  draws: 'falling',
  rate: 'falling',
  rhat: 'falling',
  ess: 'rising',
  divergences: 'falling',
  bfmi: 'rising',
  eta: 'rising',
}

/** The order after a click on the head of a column. */
export function sortedBy(view: ListView, sort: Sort): ListView {
  if (view.sort !== sort) return { ...view, sort, order: FIRST_ORDERS[sort] }
  return { ...view, order: view.order === 'falling' ? 'rising' : 'falling' }
}
