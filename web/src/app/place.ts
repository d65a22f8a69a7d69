/** The place where somebody is: all that is to be seen follows from the address, so that it can be sent and come back to. */
import type { Convention } from '../../../src/core/diagnostics/convention.ts'

export const TABS = ['overview', 'variables', 'sampler', 'pairs', 'posterior', 'data'] as const
export type Tab = (typeof TABS)[number]

export interface RunView {
  readonly tab: Tab
  /** Filter of variables: text, `/regex/` or `~text`. */
  readonly vars: string
  /** Labels that are shown of coordinates, by dimension. */
  readonly coords: readonly (readonly [dim: string, labels: readonly string[]])[]
  /** Chains that count; all when empty. */
  readonly chains: readonly number[]
  /** Iterations that count, as Python's slice has them. */
  readonly draws: { readonly start?: number | undefined; readonly stop?: number | undefined }
  readonly warmup: 'exclude' | 'include'
  readonly convention: Convention
  /** Label of the scalar that is open, as `theta[Choate]`. */
  readonly sel: string | undefined
  /** Everything else that a screen keeps in the address, by its own names: `sort`, `x`, `y` … */
  readonly more: Readonly<Record<string, string>>
}

export type Place =
  /** The list's own parameters, of which `tag` and `attr.KEY` may come several times. */
  | { readonly screen: 'runs'; readonly query: readonly (readonly [name: string, value: string])[] }
  | { readonly screen: 'run'; readonly rid: string; readonly view: RunView }
  | { readonly screen: 'compare'; readonly runs: readonly string[]; readonly more: Readonly<Record<string, string>> }
  | { readonly screen: 'nowhere'; readonly path: string }

export const FIRST_VIEW: RunView = {
  tab: 'overview',
  vars: '',
  coords: [],
  chains: [],
  draws: {},
  warmup: 'exclude',
  convention: 'posterior',
  sel: undefined,
  more: {},
}

const ROOT = '/ui/'
const OWN = new Set(['tab', 'vars', 'coords', 'chains', 'draws', 'warmup', 'convention', 'sel'])

/** @param path the path of an address @param query its part behind that, with the question mark */
export function placeOf(path: string, query: string): Place {
  const params = new URLSearchParams(query)
  const rest = path.startsWith(ROOT) ? path.slice(ROOT.length) : path === '/ui' ? '' : undefined
  if (rest === '') return { screen: 'runs', query: [...params] }
  if (rest === 'compare') {
    const { runs = '', ...more } = Object.fromEntries(params)
    return { screen: 'compare', runs: runs.split(',').filter((rid) => rid !== ''), more }
  }
  const rid = /^runs\/([^/]+)\/?$/.exec(rest ?? '')?.[1]
  if (rid === undefined) return { screen: 'nowhere', path }
  return { screen: 'run', rid: decoded(rid), view: viewOf(params) }
}

/** Address of a place, below the server. */
export function addressOf(place: Place): string {
  switch (place.screen) {
    case 'runs':
      return withQuery(ROOT, place.query)
    case 'run':
      return withQuery(`${ROOT}runs/${encodeURIComponent(place.rid)}`, queryOf(place.view))
    case 'compare':
      return withQuery(`${ROOT}compare`, [['runs', place.runs.join()], ...Object.entries(place.more)])
    case 'nowhere':
      return place.path
  }
}

function viewOf(params: URLSearchParams): RunView {
  const text = (name: string) => params.get(name) ?? ''
  return {
    tab: TABS.find((tab) => tab === text('tab')) ?? 'overview',
    vars: text('vars'),
    coords: params.getAll('coords').flatMap((each) => {
      const [, dim, labels] = /^([^:]+):(.*)$/s.exec(each) ?? []
      return dim === undefined || labels === undefined ? [] : [[decoded(dim), labels.split(',').map(decoded)] as const]
    }),
    chains: chainsOf(text('chains')),
    draws: drawsOf(text('draws')),
    warmup: text('warmup') === '1' || text('warmup') === 'include' ? 'include' : 'exclude',
    convention: text('convention') === 'arviz' ? 'arviz' : 'posterior',
    sel: params.get('sel') ?? undefined,
    more: Object.fromEntries([...params].filter(([name]) => !OWN.has(name))),
  }
}

function queryOf(view: RunView): [string, string][] {
  const { tab, vars, coords, chains, draws, warmup, convention, sel, more } = view
  const parts: [string, string | undefined][] = [
    ['tab', tab === 'overview' ? undefined : tab],
    ['vars', vars === '' ? undefined : vars],
    ...coords.map(([dim, labels]): [string, string] => ['coords', `${part(dim)}:${labels.map(part).join()}`]),
    ['chains', chains.length === 0 ? undefined : rangesText(chains)],
    ['draws', drawsText(draws)],
    ['warmup', warmup === 'include' ? '1' : undefined],
    ['convention', convention === 'arviz' ? convention : undefined],
    ['sel', sel],
    ...Object.entries(more),
  ]
  return parts.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]))
}

function withQuery(path: string, parts: readonly (readonly [string, string])[]): string {
  // Readable where that is possible: these characters have no other meaning behind the question mark.
  const query = parts.map(([name, value]) => `${plain(name)}=${plain(value)}`).join('&')
  return query === '' ? path : `${path}?${query}`
}

function plain(text: string): string {
  return encodeURIComponent(text).replaceAll(/%(2C|3A|2F|5B|5D|7E|40)/g, (each) => decodeURIComponent(each))
}

/** A label within a list of labels: its commas and colons are escaped once more. */
function part(text: string): string {
  return text.replaceAll(/[%,:]/g, (each) => encodeURIComponent(each))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `0-3,7` as numbers, each once. */
function chainsOf(text: string): readonly number[] {
  const chains = new Set<number>()
  for (const piece of text.split(',')) {
    const [, first, last] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(piece) ?? []
    if (first === undefined) continue
    const end = Math.min(Number(last ?? first), Number(first) + 10_000)
    for (let chain = Number(first); chain <= end; chain++) chains.add(chain)
  }
  return [...chains].sort((a, b) => a - b)
}

function rangesText(chains: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const chain of chains) {
    const last = ranges.at(-1)
    if (last !== undefined && chain === last[1] + 1) last[1] = chain
    else ranges.push([chain, chain])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join()
}

function drawsOf(text: string): RunView['draws'] {
  const [, start, stop] = /^(\d{1,15})?:(\d{1,15})?$/.exec(text) ?? []
  return {
    ...(start !== undefined && { start: Number(start) }),
    ...(stop !== undefined && { stop: Number(stop) }),
  }
}

function drawsText({ start, stop }: RunView['draws']): string | undefined {
  return start === undefined && stop === undefined ? undefined : `${start ?? ''}:${stop ?? ''}`
}
