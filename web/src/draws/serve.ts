/** The worker's side of its channel: questions in, answers out. */
import type { Engine } from './engine.ts'
import { type End, failureOf, type Question, type ToPage, type ToWorker } from './messages.ts'
import type { Answer, DrawsLink, Kind, OpenedRun } from './questions.ts'

const CLOSED = { kind: 'aborted', message: 'the run is closed' } as const

export function serve(end: End<ToPage, ToWorker>, engine: Engine): void {
  const runs = new Map<number, DrawsLink>()
  const asked = new Map<number, AbortController>()
  const answer = async (run: DrawsLink, id: number, question: Question) => {
    const asking = new AbortController()
    asked.set(id, asking)
    try {
      const found = await run.ask(question.kind, question.ask, asking.signal)
      if (!asking.signal.aborted) end.postMessage({ id, answer: found }, buffersOf(found))
    } catch (error) {
      if (!asking.signal.aborted) end.postMessage({ id, failure: failureOf(error) }, [])
    } finally {
      asked.delete(id)
    }
  }
  end.addEventListener('message', ({ data }) => {
    const run = 'run' in data ? runs.get(data.run) : undefined
    switch (data.type) {
      case 'open':
        runs.set(data.run, opened(engine, data.opened))
        return
      case 'grow':
        run?.grow(data.lengths)
        return
      case 'ask':
        if (run === undefined) end.postMessage({ id: data.id, failure: CLOSED }, [])
        else void answer(run, data.id, data.question)
        return
      case 'cancel':
        asked.get(data.id)?.abort()
        return
      case 'close':
        run?.close()
        runs.delete(data.run)
    }
  })
}

/** A run whose columns are none answers each question with the reason. */
function opened(engine: Engine, run: OpenedRun): DrawsLink {
  try {
    return engine.open(run)
  } catch (error) {
    return { grow: () => {}, ask: () => Promise.reject(error), close: () => {} }
  }
}

/** Memory of all arrays of an answer: it is given away, and not copied. */
function buffersOf(answer: Answer<Kind>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  const collect = (value: unknown) => {
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer) buffers.add(value.buffer)
    } else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) collect(member)
  }
  collect(answer)
  return [...buffers]
}
