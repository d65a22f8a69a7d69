/**
 * Diagnostics of runs: stored as soon as somebody's question has computed them, told to all who watch the run, and computed
 * anew while a run that is watched grows.
 */
import type { RunChecks } from '../core/diagnostics/checks/check.ts'
import { isNews, type RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import type { RunAbout } from '../core/interfaces.ts'
import { Queues } from '../core/queues.ts'
import { Counts } from '../core/summary/counts.ts'
import type { Diagnostics } from '../core/summary/diagnostics.ts'
import { figuresOfRun } from '../core/summary/figures-of-run.ts'
import { Warmups } from '../core/summary/moment.ts'
import type { SummaryQuestion } from '../core/summary/question.ts'
import { countRun } from '../core/summary/run-counts.ts'
import type { Asking } from '../core/summary/summaries.ts'
import type { Summary } from '../core/summary/summary.ts'
import type { StoreRun } from './backend.ts'
import { Counted, type CountsWatcher } from './counted.ts'
import { check, summarise } from './diagnose.ts'
import { drawSourceOf } from './draw-source.ts'
import { type DiagnosticsWatcher, Followed, isOfAllDraws } from './followed.ts'

/**
 * Runs of which diagnostics are computed: `asked`, those whose summary or checks somebody asks for; `watched`, those that somebody
 * watches as well.
 */
export type Diagnosed = 'asked' | 'watched'

/** A watcher's part in what is told of a run. */
export interface Following {
  /** A chain of the run has this length. */
  grown(chain: number, length: number): void
  stop(): void
}

export class Diagnoses {
  private readonly diagnostics: Diagnostics
  private readonly diagnosed: Diagnosed
  /** Runs that are watched, by registration. */
  private readonly followed = new Map<string, Followed>()
  private readonly counted = new Map<string, Counted>()
  private readonly counts = new Counts()
  private readonly warmups = new Warmups()
  /** Computations for those who watch: one at a time for each who share turns. */
  private readonly turns = new WeakMap<object, Queues>()

  constructor(diagnostics: Diagnostics, diagnosed: Diagnosed) {
    this.diagnostics = diagnostics
    this.diagnosed = diagnosed
  }

  /** Checks a run, and keeps its figures where all are known. @throws McbError as `Diagnostics.check` */
  async check(run: StoreRun, asking: Asking): Promise<RunChecks> {
    const about = await run.about()
    const { checks, diagnostics } = await check(run, about, this.diagnostics, asking)
    await this.keep(run, about, diagnostics).catch(ignored)
    return checks
  }

  /** Summarises a run, and keeps its figures where the summary has all of them. @throws McbError as `Diagnostics.summarise` */
  async summarise(run: StoreRun, question: SummaryQuestion, asking: Asking): Promise<Summary> {
    const begun = Date.now()
    const summary = await summarise(run, this.diagnostics, question, asking)
    const found = figuresOfRun(run.schema, question, summary, begun)
    if (found === undefined) return summary
    const kept = async () => this.keep(run, await run.about(), found)
    await kept().catch(ignored)
    return summary
  }

  /** Tells a watcher the diagnostics of a run as they are now, and as they change. */
  follow(run: StoreRun, owner: object, watcher: DiagnosticsWatcher & CountsWatcher): Following {
    const { registration } = run
    const followed = this.followed.get(registration) ?? this.begin(run, owner)
    const counted = this.counted.get(registration) ?? this.beginCounts(run)
    followed.join(watcher)
    counted?.join(watcher)
    return {
      grown: (chain, length) => {
        followed.grown(chain, length)
        counted?.grown()
      },
      stop: () => {
        counted?.leave(watcher)
        if (!followed.leave(watcher) || this.followed.get(registration) !== followed) return
        this.followed.delete(registration)
        this.counted.delete(registration)
      },
    }
  }

  /** Nothing is counted where nothing may run behind a request. */
  private beginCounts(run: StoreRun): Counted | undefined {
    if (this.diagnosed === 'asked') return undefined
    const source = drawSourceOf(run)
    const counted = new Counted(() => countRun(source, this.warmups, this.counts))
    this.counted.set(run.registration, counted)
    return counted
  }

  private begin(run: StoreRun, owner: object): Followed {
    const compute = (isWanted: () => boolean) =>
      this.turnsOf(owner).run('', async () => {
        if (isWanted()) await this.checkAlone(run, owner)
      })
    const followed = new Followed(() => run.about(), this.diagnosed === 'watched' ? compute : undefined)
    this.followed.set(run.registration, followed)
    return followed
  }

  private async checkAlone(run: StoreRun, owner: object): Promise<void> {
    const about = await run.about()
    const asking = { owner, waitMs: Number.POSITIVE_INFINITY }
    const { diagnostics } = await check(run, about, this.diagnostics, asking)
    await this.keep(run, about, diagnostics)
  }

  private async keep(run: StoreRun, about: RunAbout, found: RunDiagnostics | undefined): Promise<void> {
    const { diagnostics: before } = about
    if (found === undefined) return
    const isNew = isNews(before, found) || (before !== null && isFirstOfAll(before, found, about))
    if (isNew) await run.store.setDiagnostics(run.registration, found)
    // Another process may have kept those before.
    const present = isNew ? found : before
    if (present !== null) this.followed.get(run.registration)?.tell(present)
  }

  private turnsOf(owner: object): Queues {
    const turns = this.turns.get(owner) ?? new Queues()
    this.turns.set(owner, turns)
    return turns
  }
}

/** True where the same figures turn out to be of all draws: nobody need compute them again. */
function isFirstOfAll(before: RunDiagnostics, found: RunDiagnostics, { updatedAt }: RunAbout): boolean {
  return before.status === found.status && !isOfAllDraws(before, updatedAt) && isOfAllDraws(found, updatedAt)
}

/** Figures that cannot be kept are nobody's concern: they are computed again when somebody asks. */
function ignored(_error: unknown): void {}
