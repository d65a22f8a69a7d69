/** The theme that plots are painted in: the page's own choice, the system's, or its forced colours. */
import { computed, signal } from '@preact/signals'
import { DARK, LIGHT, type Theme } from '../paint/theme.ts'

export type Choice = 'auto' | 'light' | 'dark'

const STORED = 'mcb.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const forced = matchMedia('(forced-colors: active)')

const chosen = signal<Choice>(stored())
const isDark = signal(dark.matches)
const isForced = signal(forced.matches)
dark.addEventListener('change', () => {
  isDark.value = dark.matches
})
forced.addEventListener('change', () => {
  isForced.value = forced.matches
})

/** Colours of a system that forces its own, by their names in CSS. */
const FORCED: Theme = {
  paper: 'Canvas',
  ink: 'CanvasText',
  quiet: 'CanvasText',
  grid: 'GrayText',
  axis: 'CanvasText',
  shade: 'Canvas',
  accent: 'LinkText',
  good: 'CanvasText',
  warn: 'CanvasText',
  bad: 'CanvasText',
  other: 'GrayText',
  chains: ['CanvasText', 'LinkText', 'GrayText', 'Highlight'],
  heat: ['Canvas', 'Canvas', 'GrayText', 'Highlight', 'CanvasText'],
}

export const themeChoice = computed(() => chosen.value)

export const theme = computed((): Theme => {
  if (isForced.value) return FORCED
  return (chosen.value === 'auto' ? isDark.value : chosen.value === 'dark') ? DARK : LIGHT
})

export function chooseTheme(choice: Choice): void {
  chosen.value = choice
  apply()
  try {
    localStorage.setItem(STORED, choice)
  } catch {
    // It then lasts as long as the page.
  }
}

function stored(): Choice {
  try {
    const found = localStorage.getItem(STORED)
    return found === 'light' || found === 'dark' ? found : 'auto'
  } catch {
    return 'auto'
  }
}

function apply(): void {
  document.documentElement.dataset.theme = chosen.value
}

apply()
