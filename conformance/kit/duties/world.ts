/** The scene of a duty: two clients, the proxy that does to a request what the test wants, and the server behind it. */
import { inject } from 'vitest'
import type { DriverChain, DriverRun } from '../backend.ts'
import { meet, reviveAll, type Started, startClient } from '../clients.ts'
import { FailingProxy, type Fate, type Passing } from '../proxy.ts'
import { metaOf, RawServer } from './raw.ts'

interface Rule {
  readonly method: string
  readonly target: RegExp
  readonly fate: Fate
  /** Requests that are still to meet it. */
  left: number
}

export class World {
  readonly raw: RawServer
  /** Requests that have come to the proxy since the test began. */
  seen: Passing[] = []
  private readonly proxy: FailingProxy
  private readonly started: readonly [Started, Started]
  private rules: Rule[] = []
  private runs = 0
  private readonly prefix = `duties-${Date.now().toString(36)}`

  private constructor(raw: RawServer, proxy: FailingProxy, started: readonly [Started, Started]) {
    this.raw = raw
    this.proxy = proxy
    this.started = started
    proxy.plan = (passing) => this.fateOf(passing)
  }

  static async open(): Promise<World> {
    const kit = inject('kit')
    const proxy = await FailingProxy.start(kit.url)
    const raw = new RawServer(kit.url, kit.token)
    const started = [await startClient(kit, proxy.url, raw), await startClient(kit, proxy.url, raw)] as const
    await meet(started)
    return new World(raw, proxy, started)
  }

  get backend() {
    return this.started[0].backend
  }

  get other() {
    return this.started[1].backend
  }

  get lacks() {
    return this.started[0].client.lacks
  }

  get client() {
    return this.started[0].client
  }

  /** Nothing happens to requests any more, and both drivers run. */
  async reset(): Promise<void> {
    this.rules = []
    await reviveAll(this.started)
    this.seen = []
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.started.map((one) => one.stop()))
    await this.proxy.stop()
    await this.raw.removeAll(this.proxy.created)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** The next `times` requests of this kind meet this fate, when those with an earlier one have. */
  next(method: string, target: RegExp, fate: Fate, times = 1): void {
    this.rules.push({ method, target, fate, left: times })
  }

  /** Requests of a kind that have arrived. */
  arrived(method: string, target: RegExp): Passing[] {
    return this.seen.filter((passing) => passing.method === method && target.test(passing.target))
  }

  newRid(): string {
    return `${this.prefix}-${++this.runs}`
  }

  /** A run of one float64 scalar `x`, registered by nobody's client, as the client sees it. */
  async runOfX(rid = this.newRid()): Promise<DriverRun> {
    await this.raw.register(rid, metaOf([{ name: 'x', dtype: 'float64' }]))
    return this.open(rid)
  }

  async open(rid: string): Promise<DriverRun> {
    const run = await this.backend.getRun(rid)
    if (run === undefined) throw new Error(`getRun does not find run "${rid}", which the server has`)
    return run
  }

  /** Chain 0 of such a run. */
  async chainOfX(): Promise<DriverChain> {
    return (await this.runOfX()).initChain(0)
  }

  private fateOf(passing: Passing): Fate | undefined {
    this.seen.push(passing)
    const { method, target } = passing
    const rule = this.rules.find((each) => each.left > 0 && each.method === method && each.target.test(target))
    if (rule === undefined) return undefined
    rule.left--
    return rule.fate
  }
}
