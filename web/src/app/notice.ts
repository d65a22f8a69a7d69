/** Short notices at the edge of the page, which are read out as well. */
import { signal } from '@preact/signals'

export interface Notice {
  readonly text: string
  readonly kind: 'done' | 'failed'
}

const SHOWN_MS = 6000

export const notice = signal<Notice | undefined>(undefined)
let timer: ReturnType<typeof setTimeout> | undefined

export function notify(text: string, kind: Notice['kind'] = 'done'): void {
  notice.value = { text, kind }
  clearTimeout(timer)
  timer = setTimeout(() => {
    notice.value = undefined
  }, SHOWN_MS)
}

/** Copies text; browsers give pages of insecure origins no clipboard, so that there the older way is gone. */
export async function copy(text: string, what: string): Promise<void> {
  const isCopied = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  )
  if (isCopied || copiedByCommand(text)) notify(`${what} copied`)
  else notify(`${what} could not be copied: this browser does not let the page`, 'failed')
}

function copiedByCommand(text: string): boolean {
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'offscreen'
  const place = document.querySelector('dialog[open]') ?? document.body
  place.append(field)
  field.select()
  const isCopied = document.execCommand('copy')
  field.remove()
  return isCopied
}
