/** Draws that are chosen in some plot and lit up in all, with a way to let go of them. */
import { count } from '../../paint/number.ts'
import type { RunModel } from '../../run/model.ts'
import './brush-chip.css'

export function BrushChip({ model }: { readonly model: RunModel }) {
  const brush = model.brush.value
  // The words stay in place for those who hear them, and are empty when nothing is chosen.
  return (
    <div class="brush-chip-place" role="status">
      {brush !== undefined && (
        <span class="brush-chip">
          {wordsOf(brush)}
          <button
            type="button"
            class="quiet icon"
            aria-label="Let go of the chosen draws"
            onClick={() => (model.brush.value = undefined)}
          >
            ✕
          </button>
        </span>
      )}
    </div>
  )
}

function wordsOf(brush: NonNullable<RunModel['brush']['value']>): string {
  if (brush.kind === 'interval') return `draws ${count(brush.start)} to ${count(brush.stop - 1)} chosen`
  const draws = brush.chains.reduce((sum, { at }) => sum + at.length, 0)
  return draws === 1 ? '1 draw chosen' : `${count(draws)} draws chosen`
}
