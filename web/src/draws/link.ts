/** The page's side of the draws' worker: a promise for each question, and an end for those that nobody waits for. */
import type { Answer, Ask, Kind, OpenedRun } from './questions.ts'

/** Draws of one run, computed beside the main thread. */
export interface DrawsLink {
  /** Tells new lengths, by chain: questions from now on are of these draws, and only what is new is fetched. */
  grow(lengths: ReadonlyMap<number, number>): void
  /**
   * Answers of the draws as they are at the moment. A signal that aborts rejects with an `AbortError`, and ends the work.
   *
   * @throws ApiProblem of the requests behind it; an Error `too large` with the way out for more than 2·10⁷ values
   */
  ask<K extends Kind>(kind: K, question: Ask<K>, signal?: AbortSignal): Promise<Answer<K>>
  close(): void
}

export type OpenDraws = (run: OpenedRun) => DrawsLink

export const openDraws: OpenDraws = () => ({
  grow: () => {},
  ask: () => Promise.reject(new Error('the worker of draws is not there yet')),
  close: () => {},
})
