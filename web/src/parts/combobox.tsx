/** A field that proposes as one types, for lists that are too long to be shown whole. */
import { useId, useRef, useState } from 'preact/hooks'
import './combobox.css'

export interface ComboboxProps {
  /** Name of the field, shown before it. */
  readonly label: string
  readonly value: string
  /** Proposals for a text, the best first, as many as are shown; `isMore` where there are others. */
  readonly propose: (text: string) => { readonly options: readonly string[]; readonly isMore: boolean }
  /** Learns of an option that was chosen. */
  readonly onChoose: (option: string) => void
}

interface Open {
  readonly text: string
  readonly active: number
}

export function Combobox({ label, value, propose, onChoose }: ComboboxProps) {
  const id = useId()
  const [open, setOpen] = useState<Open | undefined>(undefined)
  const list = useRef<HTMLDivElement>(null)
  const { options, isMore } = open === undefined ? { options: [], isMore: false } : propose(open.text)
  const choose = (option: string | undefined) => {
    setOpen(undefined)
    if (option !== undefined && option !== value) onChoose(option)
  }
  const walk = (to: number) => {
    const active = Math.max(0, Math.min(options.length - 1, to))
    setOpen({ text: open?.text ?? '', active })
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key]
    if (step !== undefined) {
      event.preventDefault()
      walk(open === undefined ? 0 : open.active + step)
    } else if (event.key === 'Enter' && open !== undefined) {
      event.preventDefault()
      choose(options[open.active])
    } else if (event.key === 'Escape' && open !== undefined) {
      event.preventDefault()
      event.stopPropagation()
      setOpen(undefined)
    }
  }
  return (
    <div class="combobox">
      <label for={`${id}-field`}>{label}</label>
      <div class="combobox-field">
        <input
          id={`${id}-field`}
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          aria-expanded={open !== undefined}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open === undefined || options.length === 0 ? undefined : `${id}-${open.active}`}
          title={value}
          value={open?.text ?? value}
          onFocus={(event) => event.currentTarget.select()}
          onClick={() => open === undefined && setOpen({ text: '', active: 0 })}
          onInput={(event) => setOpen({ text: event.currentTarget.value, active: 0 })}
          onBlur={() => setOpen(undefined)}
          onKeyDown={onKeyDown}
        />
        {open !== undefined && (
          <div class="combobox-list">
            <div role="listbox" id={`${id}-list`} aria-label={label} ref={list}>
              {options.map((option, i) => (
                <div
                  key={option}
                  id={`${id}-${i}`}
                  role="option"
                  tabIndex={-1}
                  aria-selected={i === open.active}
                  onPointerDown={(event) => {
                    event.preventDefault()
                    choose(option)
                  }}
                >
                  {option}
                </div>
              ))}
            </div>
            {options.length === 0 && <p class="combobox-note">Nothing of that name.</p>}
            {isMore && <p class="combobox-note">There are more: type a part of the name.</p>}
          </div>
        )}
      </div>
    </div>
  )
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }
