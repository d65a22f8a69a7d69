/** The tab Posterior of a run: intervals and densities of its scalars, and data against their replications. */
import { show } from '../../app/navigate.ts'
import { count } from '../../paint/number.ts'
import type { RunModel } from '../../run/model.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { Forest } from './forest-chart.tsx'
import { useListed } from './listed.ts'
import './posterior.css'
import { Predictive } from './predictive-section.tsx'
import { Ridge } from './ridge-chart.tsx'

/** Rows of a page. */
const ROWS = { forest: 40, ridge: 20 } as const
type Kind = keyof typeof ROWS

export function PosteriorTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  if (schema === undefined) return null
  return (
    <div class="posterior">
      {schema.countOf('draws') === 0 ? (
        <p class="card">This run has no scalars: strings and arrays whose shape varies have none.</p>
      ) : (
        <Intervals model={model} schema={schema} />
      )}
      <Predictive model={model} schema={schema} />
    </div>
  )
}

function Intervals({ model, schema }: { readonly model: RunModel; readonly schema: RunSchema }) {
  const { vars, more } = model.view.value
  const kind: Kind = more.posterior === 'ridge' ? 'ridge' : 'forest'
  const listed = useListed(model, schema)
  const size = ROWS[kind]
  const pages = Math.max(1, Math.ceil(listed.scalars.length / size))
  const page = Math.min(pages, Math.max(1, Math.trunc(Number(more.page)) || 1))
  const scalars = listed.scalars.slice((page - 1) * size, page * size)
  const put = (name: string, value: string | undefined) => {
    const { [name]: _before, page: _page, ...rest } = more
    show({ more: value === undefined ? rest : { ...rest, [name]: value } })
  }
  return (
    <section class="card" aria-label="Intervals and densities">
      <div class="posterior-controls">
        <input
          type="search"
          aria-label="Filter of variables"
          placeholder="Filter: name, /regex/, ~name"
          value={vars}
          onInput={(event) => show({ vars: event.currentTarget.value, more: withoutPage(more) })}
        />
        <fieldset class="posterior-kinds">
          <legend class="visually-hidden">Kind of plot</legend>
          {(['forest', 'ridge'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={kind === each}
              onClick={() => put('posterior', each === 'ridge' ? each : undefined)}
            >
              {each === 'forest' ? 'Forest' : 'Ridge'}
            </button>
          ))}
        </fieldset>
        {pages > 1 && <Pages page={page} pages={pages} go={(to) => put('page', to === 1 ? undefined : String(to))} />}
        <span class="quiet-text" role="status">
          {wordsOf(listed, schema, scalars)}
        </span>
      </div>
      {scalars.length > 0 &&
        (kind === 'forest' ? (
          <Forest model={model} schema={schema} scalars={scalars} />
        ) : (
          <Ridge model={model} scalars={scalars} />
        ))}
    </section>
  )
}

function withoutPage(more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { page: _page, ...rest } = more
  return rest
}

function wordsOf(
  { scalars, isKnown, isTooSlow }: ReturnType<typeof useListed>,
  schema: RunSchema,
  shown: readonly NamedScalar[],
): string {
  if (!isKnown) return 'Looking …'
  if (isTooSlow) return 'This expression takes too long: try a simpler one.'
  const all = schema.countOf('draws')
  if (scalars.length === 0) return `None of ${count(all)} scalars is of that name.`
  const found = scalars.length === all ? `${count(all)} scalars` : `${count(scalars.length)} of ${count(all)} scalars`
  return shown.length === scalars.length ? found : `${found}, ${shown.length} on this page`
}

function Pages({
  page,
  pages,
  go,
}: {
  readonly page: number
  readonly pages: number
  readonly go: (to: number) => void
}) {
  return (
    <nav class="posterior-pages" aria-label="Pages of scalars">
      <button type="button" class="icon" aria-label="Page before" disabled={page === 1} onClick={() => go(page - 1)}>
        ‹
      </button>
      <span>
        {count(page)} of {count(pages)}
      </span>
      <button type="button" class="icon" aria-label="Next page" disabled={page === pages} onClick={() => go(page + 1)}>
        ›
      </button>
    </nav>
  )
}
