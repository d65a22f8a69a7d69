/** The page around its screens: head, key, notices, help, and the screen that the address names. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Lazy } from '../parts/lazy.tsx'
import icon from '../style/icon.svg'
import { Help } from './help.tsx'
import { LockScreen } from './lock-screen.tsx'
import { onLinkClick, place } from './navigate.ts'
import { notice } from './notice.ts'
import type { Place } from './place.ts'
import { session } from './session.ts'
import './shell.css'
import { useShortcuts } from './shortcuts.ts'
import { chooseTheme, themeChoice } from './theme.ts'

export function Shell() {
  const isHelping = useSignal(false)
  useShortcuts([{ keys: '?', does: 'this list', act: () => (isHelping.value = true) }])
  useEffect(() => {
    document.addEventListener('click', onLinkClick)
    document.addEventListener('pointerover', onWayToRun)
    document.addEventListener('focusin', onWayToRun)
    return () => {
      document.removeEventListener('click', onLinkClick)
      document.removeEventListener('pointerover', onWayToRun)
      document.removeEventListener('focusin', onWayToRun)
    }
  }, [])
  return (
    <>
      {/* No link to #main: the fragment has the key of a shared run. */}
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        To the content
      </button>
      <Head onHelp={() => (isHelping.value = true)} />
      <main id="main" tabIndex={-1}>
        <Content />
      </main>
      {isHelping.value && <Help onClose={() => (isHelping.value = false)} />}
      <div aria-live="polite">
        {notice.value !== undefined && <p class={`notice ${notice.value.kind}`}>{notice.value.text}</p>}
      </div>
    </>
  )
}

const NEXT_THEME = { auto: 'light', light: 'dark', dark: 'auto' } as const
const THEME_SIGN = { auto: '◐', light: '☀', dark: '☾' } as const

function Head({ onHelp }: { readonly onHelp: () => void }) {
  const now = session.value
  const choice = themeChoice.value
  const isOfOneRun = now.state === 'open' && now.rights.run !== null
  const brand = (
    <>
      <img src={icon} alt="" width={24} height={24} />
      <span>McBackend Edge</span>
    </>
  )
  return (
    <header class="top">
      {isOfOneRun ? (
        <span class="brand">{brand}</span>
      ) : (
        <a class="brand" href="/ui/" aria-label="McBackend Edge: all runs">
          {brand}
        </a>
      )}
      <span class="gap" />
      <span class="who">{whoText()}</span>
      <button
        type="button"
        class="quiet icon"
        aria-label={`Colours: ${choice}; change to ${NEXT_THEME[choice]}`}
        title={`Colours: ${choice}`}
        onClick={() => chooseTheme(NEXT_THEME[choice])}
      >
        {THEME_SIGN[choice]}
      </button>
      <button
        type="button"
        class="quiet icon"
        aria-label="Keyboard and help"
        title="Keyboard and help"
        onClick={onHelp}
      >
        ?
      </button>
    </header>
  )
}

/** The rights of this tab, in words. */
function whoText(): string {
  const now = session.value
  if (now.state !== 'open') return ''
  const { tenant, key, scopes, run } = now.rights
  if (key === null) return 'open to this machine: may read and change'
  const rights = scopes.includes('write') ? 'may read and change' : 'may read'
  return run === null ? `${tenant ?? ''} · ${key}: ${rights}` : `shared run: ${rights}`
}

function Content() {
  const now = session.value
  switch (now.state) {
    case 'asking':
      return <p class="middle">Asking the server …</p>
    case 'away':
      return <p class="middle">The server does not answer. It is asked again and again.</p>
    case 'locked':
      return <LockScreen why={now.why} />
    case 'open':
      return <Screen place={place.value} />
  }
}

/** Screens are loaded when they are first shown. */
const SCREENS = {
  runs: () => import('../screens/runs/runs-screen.tsx').then(({ RunsScreen }) => RunsScreen),
  run: () => import('../screens/run/run-screen.tsx').then(({ RunScreen }) => RunScreen),
  compare: () => import('../screens/later.ts').then(({ CompareScreen }) => CompareScreen),
}

/** Code of a run's screen comes while somebody is on the way to one. */
function onWayToRun({ target }: Event): void {
  const link = target instanceof Element ? target.closest('a[href*="/ui/runs/"]') : null
  // A failure is told where the screen is shown.
  if (link !== null) void SCREENS.run().catch(() => undefined)
}

function Screen({ place: at }: { readonly place: Place }) {
  switch (at.screen) {
    case 'runs':
      return <Lazy load={SCREENS.runs} props={{}} />
    case 'run':
      return <Lazy key={at.rid} load={SCREENS.run} props={{ rid: at.rid }} />
    case 'compare':
      return <Lazy load={SCREENS.compare} props={{}} />
    case 'nowhere':
      return (
        <p class="middle">
          <span>
            There is nothing at {at.path}. <a href="/ui/">All runs</a>
          </span>
        </p>
      )
  }
}
