/** Notes on a run: plain text, which those may change who may write. */
import { useState } from 'preact/hooks'
import { patchAbout } from '../../api/run.ts'
import { notify } from '../../app/notice.ts'
import { key } from '../../app/session.ts'
import { refusal } from '../../run/acted-run.ts'
import { possibleActions } from '../../run/actions.tsx'
import type { RunModel } from '../../run/model.ts'

export function NotesCard({ model }: { readonly model: RunModel }) {
  const [draft, setDraft] = useState<string | undefined>(undefined)
  const notes = model.about.value?.notes ?? ''
  const mayWrite = possibleActions().includes('rename') && model.stage.value.stage === 'open'
  return (
    <section class="card" aria-label="Notes">
      <h2>
        Notes
        {mayWrite && draft === undefined && (
          <button type="button" class="quiet" onClick={() => setDraft(notes)}>
            {notes === '' ? 'Write' : 'Edit'}
          </button>
        )}
      </h2>
      {draft !== undefined ? (
        <Editor model={model} draft={draft} onChange={setDraft} onClose={() => setDraft(undefined)} />
      ) : notes === '' ? (
        <p class="quiet-text">There are none.</p>
      ) : (
        <p class="notes">{notes}</p>
      )}
    </section>
  )
}

interface EditorProps {
  readonly model: RunModel
  readonly draft: string
  readonly onChange: (draft: string) => void
  readonly onClose: () => void
}

function Editor({ model, draft, onChange, onClose }: EditorProps) {
  const [failure, setFailure] = useState<string | undefined>(undefined)
  const [isBusy, setBusy] = useState(false)
  const save = async () => {
    setBusy(true)
    try {
      model.about.value = await patchAbout(model.rid, { notes: draft === '' ? null : draft }, { key: key.value })
      notify('Notes saved')
      onClose()
    } catch (error) {
      setFailure(refusal('save the notes', error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form
      class="notes-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isBusy) void save()
      }}
    >
      <textarea
        aria-label="Notes"
        rows={8}
        value={draft}
        // biome-ignore lint/a11y/noAutofocus: somebody has just asked to write here
        autoFocus
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {failure !== undefined && (
        <p class="refused" role="alert">
          {failure}
        </p>
      )}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={isBusy}>
          Save
        </button>
      </div>
    </form>
  )
}
