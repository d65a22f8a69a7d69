/** Files of a run, as the API gives them: its summary as a table, and its checks. */
import { getJson, runPath, send } from '../../api/http.ts'
import { notify } from '../../app/notice.ts'
import { key } from '../../app/session.ts'
import { save, saveFrom } from '../../parts/chart-actions.tsx'
import { refusal } from '../../run/acted-run.ts'
import type { RunModel } from '../../run/model.ts'

/** Rows of a page, the most that the API gives. */
const PAGE = 10_000
/** Seconds that a page may take on the server. */
const WAIT = 60

/** The summary of all scalars, of the chains, warmup and convention of the view. */
export async function saveSummary(model: RunModel): Promise<void> {
  await attempt('give the summary', async () => {
    notify('The summary is being computed …')
    const pages: string[] = []
    for (let cursor: string | undefined | null = null; cursor !== undefined; ) {
      const response: Response = await send(`${runPath(model.rid)}/summary?${queryOf(model, cursor)}`, {
        key: key.value,
        headers: { Accept: 'text/csv', Prefer: `wait=${WAIT}`, 'Mcb-Registration': model.registration.value },
      })
      const text = await response.text()
      pages.push(pages.length === 0 ? text : text.slice(text.indexOf('\n') + 1))
      cursor = cursorOf(response.headers.get('Link'))
    }
    save(new Blob(pages, { type: 'text/csv' }), `${model.rid}-summary.csv`)
    notify('Summary saved')
  })
}

export async function saveChecks(model: RunModel): Promise<void> {
  await attempt('give the checks', async () => {
    const headers = { Prefer: `wait=${WAIT}`, 'Mcb-Registration': model.registration.value }
    const checks = await getJson(`${runPath(model.rid)}/checks`, { key: key.value, headers })
    save(new Blob([JSON.stringify(checks, null, 2)], { type: 'application/json' }), `${model.rid}-checks.json`)
    notify('Checks saved')
  })
}

/** The whole run as a netCDF file. Without a key, the browser itself puts it on the disk as it comes. */
export async function saveNetcdf(model: RunModel): Promise<void> {
  const path = `${runPath(model.rid)}/data.nc`
  const name = `${model.rid}.nc`
  if (key.value === undefined) {
    saveFrom(path, name)
    return
  }
  await attempt('give the draws', async () => {
    notify('The file is being made …')
    const headers = { 'Mcb-Registration': model.registration.value }
    const response = await send(path, { key: key.value, headers })
    save(await response.blob(), name)
    notify('netCDF file saved')
  })
}

function queryOf({ view }: RunModel, cursor: string | null): URLSearchParams {
  const { convention, warmup, chains } = view.value
  const params = new URLSearchParams({ convention, warmup, limit: String(PAGE) })
  for (const chain of chains) params.append('chain', String(chain))
  if (cursor !== null) params.append('cursor', cursor)
  return params
}

/** Cursor of the next page, as a `Link` with rel="next" has it. */
export function cursorOf(link: string | null): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(link ?? '')?.[1]
  const query = target?.split('?')[1]
  return query === undefined ? undefined : (new URLSearchParams(query).get('cursor') ?? undefined)
}

async function attempt(what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    notify(refusal(what, error), 'failed')
  }
}
