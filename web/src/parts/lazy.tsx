/** Parts whose code comes when they are shown. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** A part whose code is loaded when it is first shown; when that fails, the page has a newer version: it is loaded again, once. */
export function Lazy<P extends object>({
  load,
  props,
}: {
  readonly load: () => Promise<ComponentType<P>>
  readonly props: P
}) {
  const [loaded, setLoaded] = useState<{ readonly part: ComponentType<P> } | undefined>(undefined)
  const [hasFailed, setFailed] = useState(false)
  useEffect(() => {
    let isHere = true
    load().then(
      (part) => isHere && setLoaded({ part }),
      () => isHere && !reloadOnce() && setFailed(true),
    )
    return () => {
      isHere = false
    }
  }, [load])
  if (hasFailed) return <p class="middle">A part of this page could not be loaded. Load the page again.</p>
  if (loaded === undefined) return <p class="middle">Loading …</p>
  const { part: Part } = loaded
  return <Part {...props} />
}

const RELOADED = 'mcb.reloaded'
const RELOAD_REST_MS = 60_000

/** False when it was tried a moment ago. */
function reloadOnce(): boolean {
  try {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_REST_MS) return false
    sessionStorage.setItem(RELOADED, String(Date.now()))
  } catch {
    return false
  }
  location.reload()
  return true
}
