/** Facts of a run as its caller may see them. */

import type { RunAbout } from '../core/interfaces.ts'
import type { AppContext } from './context.ts'

/** The facts that the caller may see: machines and versions are none of the business of those whom a run is shown to. */
export function shownFacts(c: AppContext, facts: RunAbout['facts']): RunAbout['facts'] {
  if (!isShown(c)) return facts
  const { environment: _hidden, ...shown } = facts
  return shown
}

/** The run with these facts, and with an ETag that tells them from all of them. */
export function shownAbout(c: AppContext, about: RunAbout): RunAbout {
  return isShown(c) ? { ...about, facts: shownFacts(c, about.facts), etag: `${about.etag}-shown` } : about
}

function isShown(c: AppContext): boolean {
  const caller = c.get('caller')
  return caller.kind === 'key' && caller.key.share
}
