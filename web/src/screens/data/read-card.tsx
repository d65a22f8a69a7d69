/** Ways to read this run elsewhere: lines in five languages, copied with one click. */
import { useState } from 'preact/hooks'
import { copy } from '../../app/notice.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonOf } from '../../run/python.ts'
import { linesToRead } from './read-it.ts'

export function ReadCard({ model }: { readonly model: RunModel }) {
  const [language, setLanguage] = useState('Python')
  const run = pythonOf(model)
  const variable = model.schema.value?.numeric.find(({ group }) => group === 'draws')?.name
  const all = linesToRead(run, variable)
  const shown = all.find((each) => each.language === language) ?? all[0]
  if (shown === undefined) return null
  return (
    <section class="card" aria-label="Read it">
      <h2>Read it</h2>
      <div class="languages">
        {all.map((each) => (
          <button
            key={each.language}
            type="button"
            class="chip"
            aria-pressed={each === shown}
            onClick={() => setLanguage(each.language)}
          >
            {each.language}
          </button>
        ))}
        <span class="gap" />
        <button type="button" onClick={() => void copy(shown.text, `Lines of ${shown.language}`)}>
          Copy
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <section class="lines" tabIndex={0} aria-label={`Lines of ${shown.language}`}>
        <pre>{shown.text}</pre>
      </section>
      <p class="advice">
        {shown.needs}
        {run.access === 'keyed' && '; the key comes from the environment variable MCB_TOKEN'}.
      </p>
    </section>
  )
}
