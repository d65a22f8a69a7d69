/** One of the runs that are compared: what is known of it, kept up to date at a calm rate. */
import { batch, signal } from '@preact/signals'
import { ApiProblem } from '../../api/http.ts'
import { getAbout, getChains, getChecks, getMeta } from '../../api/run.ts'
import type { About } from '../../api/shapes.ts'
import { getSummaryPage, type Summary, type SummaryColumn } from '../../api/summary.ts'
import { key } from '../../app/session.ts'
import { type DrawsLink, openDraws } from '../../draws/link.ts'
import { RunSchema } from '../../run/schema.ts'

/** Scalars of a run that are compared at most: beyond, the first ones. */
export const MOST_SCALARS = 1000
const COLUMNS: readonly SummaryColumn[] = ['mean', 'sd', 'mcse_mean', 'lb', 'ub', 'ess_bulk', 'ess_tail', 'rhat']
/** Seconds that the server may compute before it answers in part. */
const WAIT = 5

export class ComparedRun {
  readonly rid: string
  readonly about = signal<About | undefined>(undefined)
  readonly schema = signal<RunSchema | undefined>(undefined)
  readonly summary = signal<Summary | undefined>(undefined)
  /** Reason why the run cannot be read. */
  readonly problem = signal<ApiProblem | undefined>(undefined)
  /** False while the server does not answer. */
  readonly isConnected = signal(true)
  readonly draws = signal<DrawsLink | undefined>(undefined)
  /** Rises with new draws. */
  readonly moment = signal(0)
  private readonly ended = new AbortController()
  private registration = ''
  /** The last write that the summary is of, and whether it had all figures. */
  private summarised = ''

  constructor(rid: string) {
    this.rid = rid
  }

  close(): void {
    this.ended.abort()
    this.draws.peek()?.close()
  }

  /** Reads what is new; a run that cannot be read is not asked for again. */
  async refresh(): Promise<void> {
    if (this.problem.peek() !== undefined) return
    try {
      await (this.schema.peek() === undefined ? this.open() : this.follow())
      this.isConnected.value = true
    } catch (error) {
      if (this.ended.signal.aborted) return
      if (!(error instanceof ApiProblem)) throw error
      if (error.isPassing) this.isConnected.value = false
      else this.problem.value = error
    }
  }

  private asking() {
    return { key: key.value, signal: this.ended.signal }
  }

  private async open(): Promise<void> {
    const [found, about] = await Promise.all([getMeta(this.rid, this.asking()), getAbout(this.rid, this.asking())])
    this.registration = found.registration
    const schema = new RunSchema(found.meta)
    batch(() => {
      this.schema.value = schema
      this.about.value = about
    })
    await this.summarise(about)
  }

  private async follow(): Promise<void> {
    const about = await getAbout(this.rid, this.asking())
    this.about.value = about
    if (this.summarised !== about.updatedAt) await this.summarise(about)
  }

  private async summarise({ updatedAt, draws, diagnostics }: About): Promise<void> {
    if (draws === 0) return
    const { registration } = this
    const summary = await getSummaryPage(
      this.rid,
      { registration, convention: 'posterior', columns: COLUMNS, limit: MOST_SCALARS, wait: WAIT },
      this.asking(),
    )
    this.summary.value = summary
    if (summary.complete) this.summarised = updatedAt
    await this.grow()
    const isOld = diagnostics === null || diagnostics.status === null || diagnostics.at < updatedAt
    if (isOld) {
      await getChecks(this.rid, { ...this.asking(), registration, wait: WAIT })
      this.about.value = await getAbout(this.rid, this.asking())
    }
  }

  /** Opens the draws, or tells them how long chains are now. */
  private async grow(): Promise<void> {
    const schema = this.schema.peek()
    if (schema === undefined) return
    const chains = await getChains(this.rid, this.asking())
    if (this.ended.signal.aborted) return
    const link = this.draws.peek() ?? openDraws(schema.opened(this.rid, this.registration, key.value))
    batch(() => {
      link.grow(new Map(chains.map(({ chain, length }) => [chain, length])))
      this.draws.value = link
      this.moment.value++
    })
  }
}
