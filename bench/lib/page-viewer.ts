/** A viewer of a run that sends the requests of the page's overview, without a browser: its opening, its stream, and what follows news. */
import { readEvents } from '../../src/client/events.ts'
import { JSON_TYPE, PROTOBUF } from '../../src/core/media-types.ts'

/** Milliseconds for which the page gathers news, and between two questions for checks: web/src/run/model.ts. */
const DEBOUNCE_MS = 250
const CHECKS_MS = 3 * DEBOUNCE_MS

export class Viewer {
  private readonly base: URL
  /** Sampler stat of the log density, whose draws are shown. */
  private readonly stat: string
  private readonly lengths: number[]
  private readonly fetched: number[]
  private readonly ended = new AbortController()
  private requests = 0
  private working: Promise<unknown> = Promise.resolve()
  private timer: ReturnType<typeof setTimeout> | undefined
  private checksAt = 0

  constructor(url: URL, rid: string, stat: string, chains: number) {
    this.base = new URL(`/v1/runs/${rid}/`, url)
    this.stat = stat
    this.lengths = new Array(chains).fill(0)
    this.fetched = new Array(chains).fill(0)
  }

  /** All that a page asks for when it opens; the stream stays. */
  async open(): Promise<void> {
    const run = this.base.href.replace(/\/$/, '')
    await Promise.all([this.get(run, JSON_TYPE), this.get('about', JSON_TYPE), this.get('chains', JSON_TYPE)])
    const stream = await fetch(new URL('events', this.base), {
      headers: { Accept: 'text/event-stream' },
      signal: this.ended.signal,
    })
    this.requests++
    this.listen(stream).catch(() => undefined)
  }

  /** Ends it, and gives the number of its requests. */
  async close(): Promise<number> {
    clearTimeout(this.timer)
    this.ended.abort()
    await this.working
    return this.requests
  }

  private async listen({ body }: Response): Promise<void> {
    if (body === null) return
    for await (const { type, data } of readEvents(body)) {
      if (data === '' || (type !== 'message' && type !== 'state')) continue
      const value = JSON.parse(data)
      for (const { chain, length } of value.chains ?? [value]) this.lengths[chain] = length
      this.timer ??= setTimeout(() => {
        this.timer = undefined
        this.working = this.look().catch(() => undefined)
      }, DEBOUNCE_MS)
    }
  }

  private async look(): Promise<void> {
    const news = this.lengths.map(async (length, chain) => {
      const from = this.fetched[chain] ?? 0
      if (length <= from) return
      this.fetched[chain] = length
      await this.get(`chains/${chain}/draws?stat=${this.stat}&start=${from}&stop=${length}`, PROTOBUF)
    })
    await Promise.all(news)
    if (performance.now() - this.checksAt < CHECKS_MS) return
    await this.get('checks', JSON_TYPE, { Prefer: 'wait=2' })
    this.checksAt = performance.now()
  }

  private async get(path: string, accept: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.requests++
    const answer = await fetch(new URL(path, this.base), {
      headers: { Accept: accept, ...more },
      signal: this.ended.signal,
    })
    await answer.arrayBuffer()
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  }
}
