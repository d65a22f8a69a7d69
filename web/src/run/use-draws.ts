/** Questions to the draws that stay asked: a plot's answer follows the run as it grows, and the question as it changes. */
import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { ApiProblem } from '../api/http.ts'
import type { DrawsLink } from '../draws/link.ts'
import type { Answer, Ask, Kind } from '../draws/questions.ts'

/** Milliseconds after which a question is asked again that a server could not answer for now. */
const REST_MS = 2000

export interface Answered<K extends Kind> {
  /** The last answer about the same scalars, also while the next one is on its way. */
  readonly answer: Answer<K> | undefined
  /** The question that it answers: windows and choices of a plot are those, not the newest. */
  readonly asked: Ask<K> | undefined
  /** Words for why there is no newer answer. */
  readonly error: string | undefined
  readonly isAsking: boolean
}

/** All that the questions need to know of a run. */
export interface DrawsSource {
  readonly draws: ReadonlySignal<DrawsLink | undefined>
  readonly moment: ReadonlySignal<number>
}

/**
 * The answer to a question as of now. It is asked again when the question changes, which ends the old one, and when there
 * are new draws: then the running one is waited for, so that a slow answer is followed by the newest and not by a queue.
 *
 * ```tsx
 * const { answer, error } = useDraws(model, 'ranks', { scalar, choice: model.choice.value, bins: 20, points: 200 })
 * ```
 *
 * @param question by value: it may be written anew in each rendering; undefined asks nothing
 */
export function useDraws<K extends Kind>(source: DrawsSource, kind: K, question: Ask<K> | undefined): Answered<K> {
  const standing = useMemo(() => new StandingQuestion(source, kind), [source, kind])
  useEffect(() => standing.want(question))
  useEffect(() => standing.begin(), [standing])
  return standing.answered.value
}

/** A question that stays asked, for those who are no part of the page. */
export class StandingQuestion<K extends Kind> {
  readonly answered: ReadonlySignal<Answered<K>>
  private readonly state = signal<Answered<K>>({
    answer: undefined,
    asked: undefined,
    error: undefined,
    isAsking: false,
  })
  private readonly wanted = signal<Ask<K> | undefined>(undefined)
  private readonly source: DrawsSource
  private readonly kind: K
  /** Rises with what is wanted: an answer to what was wanted before is none. */
  private turn = 0
  private running: AbortController | undefined
  private isOutdated = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(source: DrawsSource, kind: K) {
    this.source = source
    this.kind = kind
    this.answered = this.state
  }

  want(question: Ask<K> | undefined): void {
    if (!isSame(this.wanted.peek(), question)) this.wanted.value = question
  }

  /** Asks from now on, until the function that it gives is called. */
  begin(): () => void {
    let before: { readonly link: DrawsLink | undefined; readonly question: Ask<K> | undefined } | undefined
    const stop = effect(() => {
      const [link, question] = [this.source.draws.value, this.wanted.value]
      // Read, so that new draws ask again.
      void this.source.moment.value
      const isNew = before === undefined || before.link !== link || before.question !== question
      before = { link, question }
      if (isNew) this.end()
      if (link === undefined || question === undefined) this.forget()
      else if (this.running === undefined) untracked(() => void this.ask(link, question))
      else this.isOutdated = true
    })
    return () => {
      stop()
      this.end()
    }
  }

  private end(): void {
    this.turn++
    this.running?.abort()
    this.running = undefined
    this.isOutdated = false
    clearTimeout(this.timer)
  }

  private forget(): void {
    this.state.value = { answer: undefined, asked: undefined, error: undefined, isAsking: false }
  }

  private async ask(link: DrawsLink, question: Ask<K>): Promise<void> {
    const turn = this.turn
    const running = new AbortController()
    this.running = running
    this.isOutdated = false
    clearTimeout(this.timer)
    const { answer, asked } = this.state.peek()
    const isKept = asked !== undefined && isSame(subjectOf(asked), subjectOf(question))
    this.state.value = {
      answer: isKept ? answer : undefined,
      asked: isKept ? asked : undefined,
      error: undefined,
      isAsking: true,
    }
    let rest = 0
    try {
      const found = await link.ask(this.kind, question, running.signal)
      if (turn !== this.turn) return
      this.state.value = { answer: found, asked: question, error: undefined, isAsking: false }
    } catch (error) {
      if (turn !== this.turn) return
      this.state.value = { ...this.state.peek(), error: wordsOf(error), isAsking: false }
      if (error instanceof ApiProblem && error.isPassing) rest = Math.max(REST_MS, 1000 * (error.retryAfter ?? 0))
    }
    this.running = undefined
    const again = () => void this.ask(link, question)
    if (rest > 0) this.timer = setTimeout(again, rest)
    else if (this.isOutdated) again()
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof ApiProblem && error.isPassing) return 'The server does not answer at the moment.'
  return error instanceof Error ? error.message : String(error)
}

/** The scalars that a question is about. */
function subjectOf(question: Ask<Kind>): unknown {
  const subject: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(question)) {
    if (['scalar', 'scalars', 'x', 'y'].includes(name)) subject[name] = value
  }
  return subject
}

/** True for equal plain values; arrays of draws are the same only when they are one. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b) || Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (!isSame(left.get(name), right.get(name))) return false
  }
  return true
}
