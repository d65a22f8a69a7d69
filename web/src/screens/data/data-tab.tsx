/** The tab Data of a run: all that is known of it beside its draws, and how to read it elsewhere. */
import { count } from '../../paint/number.ts'
import type { RunModel } from '../../run/model.ts'
import type { ObservedData, RunSchema } from '../../run/schema.ts'
import { ColumnsCard } from './columns-card.tsx'
import './data.css'
import { NotesCard } from './notes-card.tsx'
import { ReadCard } from './read-card.tsx'
import { Folded, Tree } from './tree.tsx'

export function DataTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  const about = model.about.value
  return (
    <div class="data">
      <div class="column">
        <NotesCard model={model} />
        <ReadCard model={model} />
        {about !== undefined && (
          <>
            <section class="card" aria-label="Attributes">
              <h2>Attributes</h2>
              <Tree value={about.attributes} />
            </section>
            <section class="card" aria-label="Facts">
              <h2>Facts</h2>
              <Tree value={{ registered: about.createdAt, 'last written': about.updatedAt, ...about.facts }} />
            </section>
          </>
        )}
      </div>
      {schema !== undefined && (
        <div class="column">
          <ColumnsCard schema={schema} />
          <Coordinates schema={schema} />
          <Observed schema={schema} />
        </div>
      )}
    </div>
  )
}

function Coordinates({ schema }: { readonly schema: RunSchema }) {
  return (
    <section class="card" aria-label="Coordinates">
      <h2>Coordinates</h2>
      {schema.coordinates.size === 0 && <p class="quiet-text">There are none: elements are counted from 0.</p>}
      <dl class="tree">
        {[...schema.coordinates].map(([dim, labels]) => (
          <div key={dim}>
            <dt>
              {dim} <span class="quiet-text">{count(labels.length)}</span>
            </dt>
            <dd>{labels.length === 0 ? 'no labels that this page can read' : <Folded texts={labels} />}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function Observed({ schema }: { readonly schema: RunSchema }) {
  const all = schema.data()
  return (
    <section class="card" aria-label="Data of the model">
      <h2>Data of the model</h2>
      {all.length === 0 && <p class="quiet-text">There are none.</p>}
      <dl class="tree">
        {all.map((data) => (
          <div key={data.name}>
            <dt>
              {data.name} <span class="quiet-text">{kindText(data)}</span>
            </dt>
            <dd>
              {data.values === undefined ? 'of a type that this page cannot read' : <Folded texts={textsOf(data)} />}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function kindText({ isObserved, shape, dims }: ObservedData): string {
  const sizes = shape.map((size, axis) => (dims[axis] ? `${dims[axis]}: ${count(size)}` : count(size)))
  return `${isObserved ? 'observed' : 'constant'}${sizes.length === 0 ? '' : ` · ${sizes.join(' × ')}`}`
}

/** Values of a preview: long data are looked at elsewhere. */
const PREVIEW = 500

/** Six digits at most, and no zeros behind them. */
function shortened(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
}

function textsOf({ values = [] }: ObservedData): readonly string[] {
  const shown = values.slice(0, PREVIEW).map((value) => (typeof value === 'number' ? shortened(value) : value))
  return values.length > PREVIEW ? [...shown, `… of ${count(values.length)} in all`] : shown
}
