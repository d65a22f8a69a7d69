/** Requests for draws: few at once, and urgent ones before others that wait. */
import { ApiProblem, type ApiRequest, runPath, send } from '../api/http.ts'
import type { OpenedRun } from './questions.ts'
import { URGENCY, type Urgency } from './turns.ts'

/** Requests at once: a browser has six connections to a server, and others need some. One is kept for what is looked at. */
const MOST = 4
/** Milliseconds for which large requests wait at first, so that what is looked at may be asked for before them. */
const MANNERS = 300

/** The way that a request takes to the server, as `send` of api/http.ts. */
export type Send = (path: string, request: ApiRequest) => Promise<Response>

export interface Asked {
  readonly run: OpenedRun
  /** Path and query behind the run's own. */
  readonly path: string
  readonly accept: string
  readonly urgency: Urgency
  readonly signal: AbortSignal
}

interface Waiting {
  readonly urgency: Urgency
  readonly begin: () => void
}

export class Requests {
  private readonly send: Send
  private readonly waiting: Waiting[] = []
  private open = 0
  private seen = 0
  private readonly resting = new Set<() => void>()

  constructor(way: Send = send) {
    this.send = way
  }

  /** @throws ApiProblem; the reason of the signal */
  async bytes(asked: Asked): Promise<Uint8Array<ArrayBuffer>> {
    return this.get(asked, async (response) => new Uint8Array(await response.arrayBuffer()))
  }

  /** @throws ApiProblem; the reason of the signal */
  async json(asked: Asked): Promise<unknown> {
    return this.get(asked, (response) => response.json())
  }

  private async get<T>({ run, path, accept, urgency, signal }: Asked, read: (of: Response) => Promise<T>): Promise<T> {
    const isSeen = urgency === URGENCY.seen
    if (isSeen) this.seen++
    await this.enter(urgency)
    try {
      signal.throwIfAborted()
      const headers = { Accept: accept, 'Mcb-Registration': run.registration }
      const response = await this.send(`${runPath(run.rid)}${path}`, { key: run.key, headers, signal })
      return await read(response).catch((error: unknown) => {
        if (signal.aborted || error instanceof SyntaxError) throw error
        throw new ApiProblem(0, 'away', 'the answer broke off')
      })
    } finally {
      this.leave()
      if (isSeen && --this.seen === 0) for (const wake of this.resting) wake()
    }
  }

  /** Resolves when nothing that is looked at is on its way, for who is about to ask for much. @throws the reason of the signal */
  async quiet(signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, MANNERS))
    while (this.seen > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.resting.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      this.resting.clear()
    }
    signal.throwIfAborted()
  }

  private enter(urgency: Urgency): Promise<void> {
    if (this.open < (urgency === URGENCY.seen ? MOST : MOST - 1)) {
      this.open++
      return Promise.resolve()
    }
    return new Promise((begin) => this.waiting.push({ urgency, begin }))
  }

  private leave(): void {
    this.open--
    let first: Waiting | undefined
    for (const each of this.waiting) if (first === undefined || each.urgency < first.urgency) first = each
    if (first === undefined || this.open >= (first.urgency === URGENCY.seen ? MOST : MOST - 1)) return
    this.waiting.splice(this.waiting.indexOf(first), 1)
    this.open++
    first.begin()
  }
}
