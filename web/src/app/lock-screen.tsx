/** The question for a key, where the server wants one. */
import { useState } from 'preact/hooks'
import { type Locked, unlock } from './session.ts'

const WHY: Readonly<Record<Locked, string | undefined>> = {
  none: undefined,
  wrong: 'The server does not know this key, or it has ended.',
  link: 'The part of this link behind the # is no key, or not a whole one. Ask for the link again.',
}

export function LockScreen({ why }: { readonly why: Locked }) {
  const [given, setGiven] = useState('')
  return (
    <section class="card lock" aria-labelledby="lock-title">
      <h1 id="lock-title">This server wants a key</h1>
      {WHY[why] !== undefined && (
        <p class="wrong" role="alert">
          ✗ {WHY[why]}
        </p>
      )}
      <p>Paste the key of your tenant, or open the link of a run that was shared with you.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void unlock(given.trim())
        }}
      >
        <label class="visually-hidden" for="lock-key">
          Key
        </label>
        <input
          id="lock-key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="mcb_…"
          value={given}
          onInput={(event) => setGiven(event.currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={given.trim() === ''}>
          Open
        </button>
      </form>
      <p class="quiet-text">The key stays in this tab until you close it. It is sent to this server alone.</p>
    </section>
  )
}
