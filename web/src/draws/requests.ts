/** Requests for draws: few at once, and urgent ones before others that wait. */
import { ApiProblem, type ApiRequest, runPath, send } from '../api/http.ts'
import type { OpenedRun } from './questions.ts'
import type { Urgency } from './turns.ts'

/** Requests at once: a browser has six connections to a server, and others need some. */
const MOST = 4

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
    }
  }

  private enter(urgency: Urgency): Promise<void> {
    if (this.open < MOST) {
      this.open++
      return Promise.resolve()
    }
    return new Promise((begin) => this.waiting.push({ urgency, begin }))
  }

  private leave(): void {
    let first = 0
    for (const [i, { urgency }] of this.waiting.entries()) {
      if (urgency < (this.waiting[first]?.urgency ?? urgency)) first = i
    }
    const [next] = this.waiting.splice(first, 1)
    if (next === undefined) this.open--
    else next.begin()
  }
}
