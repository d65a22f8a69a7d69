/** The list of keys that do something on this screen. */
import { Fragment } from 'preact'
import { Dialog } from '../parts/dialog.tsx'
import { shortcuts } from './shortcuts.ts'

const IN_CHARTS: readonly (readonly [string, string])[] = [
  ['← →', 'in a plot: walk its points; with Shift ten at once, or along a zoomed one'],
  ['+ − 0', 'in a plot: look closer, further, at all'],
  ['Esc', 'lets go of what was chosen; closes a dialog'],
]

export function Help({ onClose }: { readonly onClose: () => void }) {
  const rows = [...shortcuts.value.map(({ keys, does }) => [keys, does] as const), ...IN_CHARTS]
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {rows.map(([keys, does]) => (
          <Fragment key={keys}>
            <dt>
              {keys.split(' ').map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </Fragment>
        ))}
      </dl>
      <p class="quiet-text">
        In plots, drag to choose draws, which then light up in all of them; Ctrl and the wheel look closer, a double
        click shows all.
      </p>
    </Dialog>
  )
}
