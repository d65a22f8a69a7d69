/** Keys that do something, wherever the focus is, but in fields where somebody writes. */
import { signal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'

export interface Shortcut {
  /** As in `KeyboardEvent.key`; several with spaces between. */
  readonly keys: string
  /** For the list behind `?`. */
  readonly does: string
  readonly act: (key: string) => void
}

const active = signal<readonly Shortcut[]>([])

/** Shortcuts of all parts that are shown, the latest first. */
export const shortcuts = active

/** Adds shortcuts as long as a part is shown, each as it was last rendered; a later one of the same key comes first. */
export function useShortcuts(list: readonly Shortcut[]): void {
  const latest = useRef(list)
  latest.current = list
  // A part that is seen has its keys.
  useLayoutEffect(
    () => {
      const added = list.map((each, i) => ({ ...each, act: (key: string) => latest.current[i]?.act(key) }))
      active.value = [...added, ...active.value]
      return () => {
        active.value = active.value.filter((each) => !added.includes(each))
      }
    },
    list.map(({ keys }) => keys),
  )
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  const { target } = event
  if (target instanceof HTMLElement && isTyping(target)) return
  // A dialog that is open has the keys for itself.
  if (document.querySelector('dialog[open]') !== null) return
  const found = active.value.find(({ keys }) => keys.split(' ').includes(event.key === ' ' ? 'Space' : event.key))
  if (found === undefined || (event.key === ' ' && target instanceof HTMLElement && takesSpace(target))) return
  event.preventDefault()
  found.act(event.key)
})

function isTyping(target: HTMLElement): boolean {
  return target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio]), textarea, select')
}

function takesSpace(target: HTMLElement): boolean {
  return target.closest('button, a, summary, [role=slider], [role=option], [role=menuitem], input') !== null
}
