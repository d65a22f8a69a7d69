/** The page's end of the channel to a worker of draws: questions by number, those asked twice asked once. */
import { type End, errorOf, type Question, type ToPage, type ToWorker } from './messages.ts'
import type { Answer, Kind, OpenDraws } from './questions.ts'

/** Somebody who waits for an answer: the worker answers each question in its kind. */
interface Waiting {
  resolve(answer: Answer<Kind>): void
  reject(error: unknown): void
}

/** A question that the worker has. */
interface Asked {
  readonly id: number
  readonly name: string
  readonly waiting: Set<Waiting>
}

export class Channel {
  private readonly end: End<ToWorker, ToPage>
  private readonly byId = new Map<number, Asked>()
  private readonly byName = new Map<string, Asked>()
  private numbers = 0
  private isBroken = false

  constructor(end: End<ToWorker, ToPage>) {
    this.end = end
    end.addEventListener('message', ({ data }) => {
      const asked = this.byId.get(data.id)
      if (asked === undefined) return
      this.forget(asked)
      const error = 'failure' in data ? errorOf(data.failure) : undefined
      for (const each of asked.waiting) {
        if ('answer' in data) each.resolve(data.answer)
        else each.reject(error)
      }
    })
  }

  readonly open: OpenDraws = (opened) => {
    const run = this.numbers++
    let growths = 0
    this.end.postMessage({ type: 'open', run, opened }, [])
    return {
      grow: (lengths) => {
        growths++
        this.end.postMessage({ type: 'grow', run, lengths }, [])
      },
      ask: (kind, ask, signal) => {
        const name = JSON.stringify([run, growths, kind, ask])
        return this.ask(this.byName.get(name) ?? this.begin(run, name, { kind, ask }), signal)
      },
      close: () => this.end.postMessage({ type: 'close', run }, []),
    }
  }

  /** Ends all that is waiting: there is no worker. */
  fail(): void {
    this.isBroken = true
    for (const asked of this.byId.values()) {
      this.forget(asked)
      for (const { reject } of asked.waiting) reject(noWorker())
    }
  }

  private begin(run: number, name: string, question: Question): Asked {
    const asked = { id: this.numbers++, name, waiting: new Set<Waiting>() }
    this.byId.set(asked.id, asked)
    this.byName.set(name, asked)
    this.end.postMessage({ type: 'ask', run, id: asked.id, question }, [])
    return asked
  }

  private ask<K extends Kind>(asked: Asked, signal: AbortSignal | undefined): Promise<Answer<K>> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        asked.waiting.delete(waiting)
        if (asked.waiting.size === 0) this.cancel(asked)
        reject(signal?.reason)
      }
      const settled = () => signal?.removeEventListener('abort', leave)
      const waiting: Waiting = {
        resolve: (answer: Answer<K>) => {
          settled()
          resolve(answer)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      }
      asked.waiting.add(waiting)
      signal?.addEventListener('abort', leave)
      if (this.isBroken) waiting.reject(noWorker())
      if (signal?.aborted) leave()
    })
  }

  private cancel(asked: Asked): void {
    if (!this.byId.has(asked.id)) return
    this.forget(asked)
    this.end.postMessage({ type: 'cancel', id: asked.id }, [])
  }

  private forget({ id, name }: Asked): void {
    this.byId.delete(id)
    this.byName.delete(name)
  }
}

function noWorker(): Error {
  return new Error('the part of the page that computes did not start: load the page again')
}
