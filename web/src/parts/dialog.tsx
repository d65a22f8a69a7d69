/**
 * A dialog over the page: it has the focus as long as it is open, Escape closes it, and the focus goes back. An element with the attribute `data-first-focus` has it first.
 */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import './dialog.css'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
  readonly width?: 'narrow' | 'wide' | undefined
}

export function Dialog({ title, onClose, children, width = 'narrow' }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  const name = useId()
  useEffect(() => {
    const before = document.activeElement
    element.current?.showModal()
    // The attribute autofocus makes browsers say in their console that they heed it not.
    element.current?.querySelector<HTMLElement>('[data-first-focus]')?.focus()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={element}
      class={`dialog ${width}`}
      aria-labelledby={name}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <div class="dialog-inner">
        <header>
          <h2 id={name}>{title}</h2>
          <button type="button" class="quiet icon" aria-label="Close" onClick={onClose}>
            ✕
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
