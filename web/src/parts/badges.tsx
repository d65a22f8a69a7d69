/** States and verdicts as a symbol and a word, so that no colour has to be seen. */
import type { RunLine, Status } from '../api/shapes.ts'

const STATES = {
  live: ['●', 'live'],
  silent: ['○', 'silent'],
  done: ['✓', 'done'],
} as const

export function StateBadge({ state }: { readonly state: RunLine['state'] }) {
  const [sign, word] = STATES[state]
  return (
    <span class={`status ${state}`}>
      <span aria-hidden="true">{sign}</span> {word}
    </span>
  )
}

const VERDICTS: Readonly<Record<Status, readonly [sign: string, word: string]>> = {
  ok: ['✓', 'fine'],
  warn: ['!', 'look'],
  fail: ['✗', 'problem'],
  unknown: ['?', 'not known'],
}

export function VerdictBadge({ status }: { readonly status: Status }) {
  const [sign, word] = VERDICTS[status]
  return (
    <span class={`status ${status}`}>
      <span aria-hidden="true">{sign}</span> {word}
    </span>
  )
}
