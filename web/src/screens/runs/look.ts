/** Looks at the list of the server: at all of it, page after page, or at what was written since the last look. */
import type { ListQuery } from '../../api/run.ts'
import type { RunPage } from '../../api/shapes.ts'
import type { RunLines } from './run-lines.ts'

export const PAGE = 1000
/**
 * Milliseconds by which a look goes back behind the newest write that was seen. Lines may be late by 2 s, clocks of a
 * service differ, runs fall silent 60 s after their last write, and figures come after the draws that they are of.
 */
const OVERLAP_MS = 75_000

export type ListRuns = (query: ListQuery) => Promise<RunPage>

export class Looker {
  private readonly lines: RunLines
  private readonly list: ListRuns
  private readonly onPage: (page: RunPage) => void
  /** The newest write as of the first page of the last look: what was written while later pages came is looked for again. */
  private mark = ''

  constructor(lines: RunLines, list: ListRuns, onPage: (page: RunPage) => void) {
    this.lines = lines
    this.list = list
    this.onPage = onPage
  }

  /** Reads the list from its begin to its end. */
  async all(): Promise<void> {
    this.lines.beginLook()
    await this.pages({})
    this.lines.endLook()
  }

  /** Reads what was written since, and some time before. */
  async changes(): Promise<void> {
    if (this.mark === '') return this.all()
    await this.pages({ updatedSince: new Date(Date.parse(this.mark) - OVERLAP_MS).toISOString() })
  }

  private async pages(conditions: ListQuery): Promise<void> {
    let mark: string | undefined
    let cursor: string | undefined
    do {
      const page = await this.list({ ...conditions, limit: PAGE, ...(cursor !== undefined && { cursor }) })
      this.onPage(page)
      mark ??= this.lines.newest
      cursor = page.nextCursor
    } while (cursor !== undefined)
    this.mark = mark
  }
}
