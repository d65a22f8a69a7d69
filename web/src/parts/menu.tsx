/** A button that opens a list of actions. */
import { useEffect, useRef, useState } from 'preact/hooks'
import './menu.css'

export interface MenuItem {
  readonly label: string
  readonly act: () => void
  readonly kind?: 'danger' | undefined
}

export interface MenuProps {
  /** Name of the button, for those who do not see its sign. */
  readonly label: string
  readonly sign?: string
  readonly items: readonly MenuItem[]
}

export function Menu({ label, sign = '⋯', items }: MenuProps) {
  const [isOpen, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const [place, setPlace] = useState<Place>({})
  useEffect(() => {
    if (!isOpen) return
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const away = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false)
    }
    const letGo = () => setOpen(false)
    addEventListener('pointerdown', away)
    // It does not go along with what scrolls.
    addEventListener('scroll', letGo, { capture: true, passive: true })
    addEventListener('resize', letGo)
    return () => {
      removeEventListener('pointerdown', away)
      removeEventListener('scroll', letGo, { capture: true })
      removeEventListener('resize', letGo)
    }
  }, [isOpen])
  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  return (
    <div class="menu" ref={root}>
      <button
        ref={button}
        type="button"
        class="quiet icon"
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => {
          if (!isOpen && button.current !== null) setPlace(besides(button.current))
          setOpen(!isOpen)
        }}
      >
        {sign}
      </button>
      {isOpen && (
        <div
          class="menu-list"
          style={place}
          role="menu"
          aria-label={label}
          tabIndex={-1}
          onKeyDown={(event) => walk(event, close)}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              class={item.kind ?? ''}
              onClick={() => {
                close()
                item.act()
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}

type Place = {
  readonly top?: string
  readonly bottom?: string
  readonly left?: string
  readonly right?: string
}

/** A place on the screen, on the side of the button where there is more room: nothing that scrolls cuts it off. */
function besides(button: HTMLElement): Place {
  const { top, bottom, left, right } = button.getBoundingClientRect()
  const { clientWidth, clientHeight } = document.documentElement
  return {
    ...(bottom <= clientHeight / 2 ? { top: `${bottom}px` } : { bottom: `${clientHeight - top}px` }),
    ...(left >= clientWidth / 2 ? { right: `${clientWidth - right}px` } : { left: `${left}px` }),
  }
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 }

function walk(event: KeyboardEvent, close: () => void): void {
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault()
    event.stopPropagation()
    close()
    return
  }
  const step = STEPS[event.key]
  if (step === undefined || !(event.currentTarget instanceof HTMLElement)) return
  event.preventDefault()
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=menuitem]')]
  const { activeElement } = document
  const at = activeElement instanceof HTMLElement ? items.indexOf(activeElement) : -1
  items[(at + step + items.length) % items.length]?.focus()
}
