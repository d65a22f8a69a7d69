/** The rows of a long list that are in view, and some around them. */
import { useSignal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useEffect } from 'preact/hooks'

/** Rows above and below the view, so that a fast wheel meets no gap; and the step in which the window moves. */
const AROUND = 8
const STEP = 4

export interface RowsWindow {
  readonly first: number
  /** Behind the last. */
  readonly stop: number
}

/** @param height pixels of a row */
export function useRowsWindow(scroller: RefObject<HTMLElement | null>, height: number): RowsWindow {
  const rows = useSignal<RowsWindow>({ first: 0, stop: 2 * AROUND })
  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    const look = () => {
      const top = Math.floor(element.scrollTop / height / STEP) * STEP
      const [first, stop] = [Math.max(0, top - AROUND), top + Math.ceil(element.clientHeight / height) + STEP + AROUND]
      const before = rows.peek()
      if (before.first !== first || before.stop !== stop) rows.value = { first, stop }
    }
    look()
    element.addEventListener('scroll', look, { passive: true })
    const sizes = new ResizeObserver(look)
    sizes.observe(element)
    return () => {
      element.removeEventListener('scroll', look)
      sizes.disconnect()
    }
  }, [height])
  return rows.value
}
