/** Dialogs that change a run: its name, its tags, a link to it, its end. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { deleteRun, patchAbout, shareRun } from '../api/run.ts'
import { copy, notify } from '../app/notice.ts'
import { key } from '../app/session.ts'
import { count } from '../paint/number.ts'
import { Dialog } from '../parts/dialog.tsx'
import { type ActionsProps, refusal } from './acted-run.ts'
import './actions.css'

export interface DialogProps extends ActionsProps {
  readonly onClose: () => void
}

/** Limits of the server (protocol, §9), in code points. */
const NAME_CHARACTERS = 200
const TAG_CHARACTERS = 64
const TAGS = 50

interface FormProps {
  readonly title: string
  /** The verb of the button that does it. */
  readonly verb: string
  readonly kind?: 'primary' | 'danger'
  /** The deed, for the words of a refusal: “rename the run”. */
  readonly doing: string
  readonly isPossible?: boolean
  readonly act: () => Promise<void>
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A dialog with one thing to do. It stays open, with the reason, when that fails. */
function ActionForm({ title, verb, kind = 'primary', doing, isPossible = true, act, onClose, children }: FormProps) {
  const [isBusy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string | undefined>(undefined)
  const attempt = async () => {
    setBusy(true)
    setFailure(undefined)
    try {
      await act()
    } catch (error) {
      setFailure(refusal(doing, error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="action-form"
        onSubmit={(event) => {
          event.preventDefault()
          if (!isBusy && isPossible) void attempt()
        }}
      >
        {children}
        {failure !== undefined && (
          <p class="refused" role="alert">
            ✗ {failure}
          </p>
        )}
        <div class="actions">
          {/* The harmless answer is the one at hand where there is no way back. */}
          <button type="button" onClick={onClose} data-first-focus={kind === 'danger' ? '' : undefined}>
            Cancel
          </button>
          <button type="submit" class={kind} disabled={isBusy || !isPossible}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

export function RenameDialog({ run, onChanged, onClose }: DialogProps) {
  const [name, setName] = useState(run.name ?? '')
  const wanted = name.trim()
  const isLong = [...wanted].length > NAME_CHARACTERS
  return (
    <ActionForm
      title="Rename"
      verb={wanted === '' ? 'Remove the name' : 'Rename'}
      doing="rename the run"
      isPossible={!isLong && wanted !== (run.name ?? '')}
      onClose={onClose}
      act={async () => {
        onChanged(await patchAbout(run.rid, { name: wanted === '' ? null : wanted }, { key: key.value }))
        onClose()
      }}
    >
      <label>
        Name
        <input
          type="text"
          data-first-focus=""
          autocomplete="off"
          spellcheck={false}
          value={name}
          aria-invalid={isLong}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <p class="quiet-text">
        {isLong
          ? `A name has at most ${NAME_CHARACTERS} characters; this one has ${count([...wanted].length)}.`
          : 'Links and scripts go by the id, which stays:'}{' '}
        <code>{run.rid}</code>
      </p>
    </ActionForm>
  )
}

export function TagsDialog({ run, onChanged, onClose }: DialogProps) {
  const [tags, setTags] = useState<readonly string[]>(run.tags)
  const [more, setMore] = useState('')
  const all = withTag(tags, more)
  const problem = tagProblem(all)
  return (
    <ActionForm
      title={`Tags of ${run.name ?? run.rid}`}
      verb="Save"
      doing="change the tags"
      isPossible={problem === undefined && all.join('\n') !== run.tags.join('\n')}
      onClose={onClose}
      act={async () => {
        onChanged(await patchAbout(run.rid, { tags: all }, { key: key.value }))
        onClose()
      }}
    >
      <ul class="tag-list" aria-label="Tags">
        {tags.map((tag) => (
          <li key={tag} class="tag">
            {tag}
            <button
              type="button"
              class="quiet"
              aria-label={`Remove ${tag}`}
              onClick={() => setTags(tags.filter((each) => each !== tag))}
            >
              ✕
            </button>
          </li>
        ))}
      </ul>
      <label>
        New tag
        <input
          type="text"
          data-first-focus=""
          autocomplete="off"
          value={more}
          aria-invalid={problem !== undefined}
          onInput={(event) => setMore(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || more.trim() === '') return
            event.preventDefault()
            setTags(all)
            setMore('')
          }}
        />
      </label>
      <p class="quiet-text">{problem ?? 'Enter adds it; another Enter saves.'}</p>
    </ActionForm>
  )
}

function withTag(tags: readonly string[], more: string): readonly string[] {
  const tag = more.trim()
  return tag === '' || tags.includes(tag) ? tags : [...tags, tag]
}

function tagProblem(tags: readonly string[]): string | undefined {
  if (tags.length > TAGS) return `A run has at most ${TAGS} tags.`
  if (tags.some((tag) => [...tag].length > TAG_CHARACTERS)) return `A tag has at most ${TAG_CHARACTERS} characters.`
  return undefined
}

const DAY_MS = 86_400_000
/** Ends of a link's time, in days; 0 for none. */
const TIMES = [
  [1, 'one day'],
  [7, 'one week'],
  [30, '30 days'],
  [365, 'one year'],
  [0, 'as long as the run is kept'],
] as const

export function ShareDialog({ run, onClose }: DialogProps) {
  const [days, setDays] = useState(30)
  const [link, setLink] = useState<string | undefined>(undefined)
  return (
    <ActionForm
      title={`Share ${run.name ?? run.rid}`}
      verb={link === undefined ? 'Make a link' : 'Copy the link'}
      doing="make a link"
      onClose={onClose}
      act={async () => {
        if (link !== undefined) return copy(link, 'Link')
        const expiresAt = days === 0 ? null : new Date(Date.now() + days * DAY_MS).toISOString()
        const url = await shareRun(run.rid, expiresAt, { key: key.value })
        setLink(url)
        await copy(url, 'Link')
      }}
    >
      <p>Whoever has the link sees this run, and nothing else. They cannot change it.</p>
      {link === undefined ? (
        <label>
          It works for
          <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {TIMES.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <label>
          The link, shown this once
          <input type="text" readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
        </label>
      )}
    </ActionForm>
  )
}

export function DeleteDialog({ run, onDeleted, onClose }: DialogProps) {
  const { rid, name, draws, chains } = run
  return (
    <ActionForm
      title="Delete this run?"
      verb={draws === 0 ? 'Delete' : `Delete ${count(draws)} draws`}
      kind="danger"
      doing="delete the run"
      onClose={onClose}
      act={async () => {
        await deleteRun(rid, { key: key.value })
        notify(`${name ?? rid} was deleted`)
        onClose()
        onDeleted()
      }}
    >
      <p class="named">
        <strong>{name ?? rid}</strong> {name !== null && <code>{rid}</code>}
      </p>
      <p>
        {draws === 0
          ? 'It has no draws. What was noted about it'
          : `${chains === 1 ? '1 chain' : `${count(chains)} chains`} with ${draws === 1 ? '1 draw' : `${count(draws)} draws`}, and all that was noted about it,`}{' '}
        would be gone for good: nobody can bring it back.
        {run.state === 'live' && ' It was written within the last minute: a sampler may be at work on it.'}
      </p>
    </ActionForm>
  )
}
