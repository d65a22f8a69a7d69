/** Going from place to place, with the browser's history. */
import { computed, signal } from '@preact/signals'
import { addressOf, type Place, placeOf, type RunView } from './place.ts'

const here = signal(placeOf(location.pathname, location.search))

/** The present place. */
export const place = computed(() => here.value)

/** @param how `replace` where going back should skip what was before, as between two letters of a filter */
export function go(to: Place, how: 'push' | 'replace' = 'push'): void {
  const address = addressOf(to)
  // The fragment has the key of a shared run, as long as one stays there.
  const fragment = isSameRun(here.value, to) ? location.hash : ''
  if (how === 'push') history.pushState(null, '', address + fragment)
  else history.replaceState(null, '', address + fragment)
  here.value = to
  if (how === 'push') scrollTo(0, 0)
}

/** Changes the view of the run that is open. */
export function show(change: Partial<RunView>, how: 'push' | 'replace' = 'replace'): void {
  const at = here.value
  if (at.screen === 'run') go({ ...at, view: { ...at.view, ...change } }, how)
}

/** Changes what a screen of a run keeps in the address by its own names; undefined takes a name away. */
export function showMore(
  change: Readonly<Record<string, string | undefined>>,
  how: 'push' | 'replace' = 'replace',
): void {
  const at = here.value
  if (at.screen !== 'run') return
  const more: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...at.view.more, ...change })) {
    if (value !== undefined) more[name] = value
  }
  show({ more }, how)
}

function isSameRun(from: Place, to: Place): boolean {
  return from.screen === 'run' && to.screen === 'run' && from.rid === to.rid
}

addEventListener('popstate', () => {
  here.value = placeOf(location.pathname, location.search)
})

/** Handles a click on a link to another place of this page, unless it is meant for another tab. */
export function onLinkClick(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a[href]') : null
  if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download')) return
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  const { origin, pathname, search, hash } = new URL(link.href)
  if (origin !== location.origin || hash !== '') return
  const to = placeOf(pathname, search)
  if (to.screen === 'nowhere') return
  event.preventDefault()
  go(to)
}
