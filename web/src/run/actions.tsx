/** Things to do with a run, as far as the key of this tab may: a menu, and the dialogs that it opens. */
import { useState } from 'preact/hooks'
import { patchAbout } from '../api/run.ts'
import { notify } from '../app/notice.ts'
import { key, may, session } from '../app/session.ts'
import { Menu, type MenuItem } from '../parts/menu.tsx'
import { type ActedRun, type ActionsProps, refusal } from './acted-run.ts'
import { DeleteDialog, RenameDialog, ShareDialog, TagsDialog } from './action-dialogs.tsx'

export type RunAction = 'rename' | 'tags' | 'archive' | 'share' | 'delete'

/** Actions that would not fail for want of rights. A key for one run is for looking at it, or for its sampler. */
export function possibleActions(): readonly RunAction[] {
  const now = session.value
  if (now.state !== 'open' || now.rights.run !== null) return []
  return [
    ...(may('write') ? (['rename', 'tags', 'archive'] as const) : []),
    ...(may('write') && now.rights.key !== null ? (['share'] as const) : []),
    ...(may('admin') ? (['delete'] as const) : []),
  ]
}

/** The menu alone, for rows that come and go: what it opens belongs to somebody who stays. */
export function RunMenu({ run, onAct }: { readonly run: ActedRun; readonly onAct: (action: RunAction) => void }) {
  const actions = possibleActions()
  if (actions.length === 0) return null
  const items = actions.map((action): MenuItem => {
    const kind = action === 'delete' ? ({ kind: 'danger' } as const) : {}
    return { label: labelOf(action, run), act: () => onAct(action), ...kind }
  })
  return <Menu label={`Actions of ${run.name ?? run.rid}`} items={items} />
}

function labelOf(action: RunAction, { archived }: ActedRun): string {
  switch (action) {
    case 'rename':
      return 'Rename …'
    case 'tags':
      return 'Tags …'
    case 'archive':
      return archived ? 'Take out of the archive' : 'Archive'
    case 'share':
      return 'Share …'
    case 'delete':
      return 'Delete …'
  }
}

/** Archives a run, or takes it out: no question, as it is undone by the same. */
export async function toggleArchived({ run, onChanged }: Omit<ActionsProps, 'onDeleted'>): Promise<void> {
  const archived = !run.archived
  try {
    onChanged(await patchAbout(run.rid, { archived }, { key: key.value }))
    notify(archived ? 'Archived: lists leave it out, and its link stays' : 'No longer archived')
  } catch (error) {
    notify(refusal(archived ? 'archive the run' : 'take the run out of the archive', error), 'failed')
  }
}

export type DialogAction = Exclude<RunAction, 'archive'>

export function RunDialog({
  action,
  onClose,
  ...props
}: ActionsProps & { readonly action: DialogAction; readonly onClose: () => void }) {
  switch (action) {
    case 'rename':
      return <RenameDialog {...props} onClose={onClose} />
    case 'tags':
      return <TagsDialog {...props} onClose={onClose} />
    case 'share':
      return <ShareDialog {...props} onClose={onClose} />
    case 'delete':
      return <DeleteDialog {...props} onClose={onClose} />
  }
}

/** The menu with its dialogs, for a part that stays as long as the run is shown. */
export function RunActions(props: ActionsProps) {
  const [open, setOpen] = useState<DialogAction | undefined>(undefined)
  return (
    <>
      <RunMenu
        run={props.run}
        onAct={(action) => (action === 'archive' ? void toggleArchived(props) : setOpen(action))}
      />
      {open !== undefined && <RunDialog {...props} action={open} onClose={() => setOpen(undefined)} />}
    </>
  )
}
