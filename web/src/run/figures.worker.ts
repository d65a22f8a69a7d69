/** The worker of figures: it fetches summaries and reads them beside the main thread, as 10,000 rows are a few megabytes. */
import { ApiProblem, getJson } from '../api/http.ts'
import { type FiguresAsk, type FiguresNews, readPage } from './figures-page.ts'

const running = new Map<number, AbortController>()

/** A number alone ends the question of this number. */
addEventListener('message', ({ data }: MessageEvent<FiguresAsk | number>) => {
  if (typeof data === 'number') {
    running.get(data)?.abort()
    running.delete(data)
  } else void answer(data)
})

async function answer({ id, path, headers, key }: FiguresAsk): Promise<void> {
  const controller = new AbortController()
  running.set(id, controller)
  try {
    let first = 0
    let cursor: string | undefined
    do {
      const page = cursor === undefined ? path : `${path}&cursor=${encodeURIComponent(cursor)}`
      const { nextCursor, ...read } = readPage(await getJson(page, { key, headers, signal: controller.signal }), first)
      tell({ id, type: 'page', page: read }, [read.values.buffer, read.reasons.buffer])
      first += read.rows
      cursor = nextCursor
    } while (cursor !== undefined)
    tell({ id, type: 'end' })
  } catch (error) {
    if (controller.signal.aborted) return
    const { status, code, retryAfter } =
      error instanceof ApiProblem ? error : { status: 0, code: 'away', retryAfter: 0 }
    const detail = error instanceof Error ? error.message : String(error)
    tell({ id, type: 'failed', status, code, detail, retryAfter })
  } finally {
    running.delete(id)
  }
}

function tell(news: FiguresNews, transfer: Transferable[] = []): void {
  postMessage(news, { transfer })
}
