/** `mcb watch`: a line a chain with its length and its rate, while the run grows. */
import { setTimeout as pause } from 'node:timers/promises'
import { HttpBackend, type HttpRun, type RunDiagnostics } from '../../client/index.ts'
import { isMcbError } from '../../core/errors.ts'
import type { RunAbout } from '../../core/interfaces.ts'
import { isObject } from '../../core/json.ts'
import type { Command } from '../command.ts'
import { printed } from '../output.ts'
import { clientOptions, requireRun } from '../server.ts'
import { filled, shown } from '../terminal.ts'

/** Milliseconds between two looks at what has come, and between two questions for the state of the run. */
const EVERY = 1000
const STATE_EVERY = 5000
/** Milliseconds over which a rate is taken. */
const WINDOW = 10_000
/** Chains that are shown at a terminal at most, where its height is not known. */
const LINES = 20

export const watch: Command = {
  usage: 'watch RID',
  about: 'follow a run: a line a chain, with its draws and their rate',
  options: { 'until-done': { type: 'boolean' } },
  optionHelp: [
    '--until-done         end when the run is done: it has what its facts expect, or has finished',
    '                     ends when the run is deleted, and with Ctrl-C; piped, a line for each chain that has grown',
  ],
  examples: ['watch my-run', 'watch my-run --until-done && mcb runs show my-run'],
  args: 1,
  run: async ({ backend, profile }, [rid = ''], given) => {
    // The first question fails at once where there is nothing to watch.
    await requireRun(backend, rid)
    const run = await requireRun(new HttpBackend(clientOptions(profile)), rid)
    await new Watch(run, given['until-done'] === true).follow()
    return undefined
  },
}

interface Seen {
  length: number
  /** Lengths by the moment at which they came, in milliseconds; those of the window. */
  readonly points: { readonly at: number; readonly length: number }[]
  hasGrown: boolean
}

class Watch {
  private readonly run: HttpRun
  private readonly untilDone: boolean
  private readonly chains = new Map<number, Seen>()
  private about: RunAbout | undefined
  private diagnostics: RunDiagnostics | undefined
  private toldDiagnostics = ''
  private lines = 0

  constructor(run: HttpRun, untilDone: boolean) {
    this.run = run
    this.untilDone = untilDone
  }

  async follow(): Promise<void> {
    const ended = new AbortController()
    const growth = this.gather(ended.signal)
    let isOver = false
    const over = growth.then(() => {
      isOver = true
    })
    // Told by whoever waits for it next.
    over.catch(() => undefined)
    try {
      for (let next = 0; !isOver; ) {
        if (performance.now() >= next) {
          next = performance.now() + STATE_EVERY
          await this.askState()
          // The first lengths come with the first event.
          if (this.chains.size === 0) await Promise.race([over, pause(100)])
        }
        await this.show()
        if (this.untilDone && this.about?.state === 'done') return
        await Promise.race([over, pause(EVERY)])
      }
      await this.show()
      await printed(`run ${this.run.rid} is deleted\n`)
    } finally {
      ended.abort()
      await growth.catch(() => undefined)
    }
  }

  private async gather(signal: AbortSignal): Promise<void> {
    const onDiagnostics = (diagnostics: RunDiagnostics) => {
      this.diagnostics = diagnostics
    }
    for await (const { chain, length } of this.run.watch({ signal, onDiagnostics })) {
      const seen = this.chains.get(chain) ?? { length, points: [], hasGrown: true }
      seen.length = length
      seen.hasGrown = true
      seen.points.push({ at: performance.now(), length })
      this.chains.set(chain, seen)
    }
  }

  /** The run's state; a server of an older release tells none, and a run that is gone is told by its events. */
  private async askState(): Promise<void> {
    try {
      const before = this.about?.state
      this.about = await this.run.about()
      // The state is in every line.
      if (this.about.state !== before) for (const seen of this.chains.values()) seen.hasGrown = true
    } catch (error) {
      if (!isMcbError(error, 'not_found', 'run_not_found', 'run_replaced')) throw error
    }
  }

  private async show(): Promise<void> {
    if (process.stdout.isTTY) return this.redraw()
    const grown = this.sorted().filter(([, seen]) => seen.hasGrown)
    for (const [, seen] of grown) seen.hasGrown = false
    const figures = figuresOf(this.diagnostics)
    const news = figures === this.toldDiagnostics ? [] : [figures]
    this.toldDiagnostics = figures
    await printed(
      [...grown.map(([chain, seen]) => this.lineOf(chain, seen)), ...news].map((line) => `${line}\n`).join(''),
    )
  }

  /** Writes over the lines of before. */
  private redraw(): void {
    const figures = figuresOf(this.diagnostics)
    const most = (process.stdout.rows ?? LINES + 4) - (figures === '' ? 3 : 4)
    const columns = (process.stdout.columns ?? 80) - 1
    const chains = this.sorted()
    const heads = figures === '' ? [this.headOf()] : [this.headOf(), figures]
    const lines = [...heads, ...chains.slice(0, most).map(([chain, seen]) => this.lineOf(chain, seen))]
    if (chains.length > most) lines.push(`… and ${chains.length - most} more chains`)
    const up = this.lines === 0 ? '' : `\u001b[${this.lines}A`
    this.lines = lines.length
    process.stdout.write(`${up}${lines.map((line) => `\u001b[2K${shown(line, columns)}\n`).join('')}\u001b[J`)
  }

  private sorted(): [number, Seen][] {
    return [...this.chains].sort(([a], [b]) => a - b)
  }

  private headOf(): string {
    const name = this.about?.name ? `  ${this.about.name}` : ''
    const total = [...this.chains.values()].reduce((sum, { length }) => sum + length, 0)
    return `${this.run.rid}${name}  ${this.about?.state ?? ''}  ${total} draws`
  }

  private lineOf(chain: number, { length, points }: Seen): string {
    const rate = rateOf(points, performance.now())
    const expected = expectedOf(this.about)
    const isDone = this.about?.state === 'done' || (expected !== undefined && length >= expected)
    const state = isDone ? 'done' : rate > 0 ? 'growing' : 'still'
    const of = expected === undefined ? '' : ` of ${expected}`
    return `chain ${filled(String(chain), 4, 'right')} ${filled(`${length}${of} draws`, 20, 'left')} ${filled(`${rate.toFixed(1)}/s`, 12, 'left')}  ${state}`
  }
}

/** The worst figures in short, as far as they are known: `R-hat 1.02  ESS 310  divergences 3`; empty before. */
function figuresOf(diagnostics: RunDiagnostics | undefined): string {
  if (diagnostics === undefined) return ''
  const { rhat, essBulk, essTail, divergences } = diagnostics
  const ess = [essBulk, essTail].filter((value) => value !== null)
  return [
    ...(rhat === null ? [] : [`R-hat ${rhat.toFixed(2)}`]),
    ...(ess.length === 0 ? [] : [`ESS ${Math.floor(Math.min(...ess))}`]),
    ...(divergences === null ? [] : [`divergences ${divergences}`]),
  ].join('  ')
}

/** Draws a second over the window; the points that it no longer needs are dropped. */
function rateOf(points: Seen['points'], now: number): number {
  while (points[1] !== undefined && points[1].at < now - WINDOW) points.shift()
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined || last.length === first.length || last.at < now - WINDOW) return 0
  return ((last.length - first.length) * 1000) / Math.max(now - first.at, EVERY)
}

/** Draws of a chain that the facts expect, warmup included. */
function expectedOf(about: RunAbout | undefined): number | undefined {
  const expected = about?.facts.expected
  if (!isObject(expected) || typeof expected.draws !== 'number') return undefined
  return expected.draws + (typeof expected.warmup === 'number' ? expected.warmup : 0)
}
