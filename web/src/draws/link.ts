/** The page's link to its worker of draws: a promise for each question, and an end for those that nobody waits for. */
import { Channel } from './channel.ts'
import type { DrawsLink, OpenDraws } from './questions.ts'

export { TooLarge } from './too-large.ts'
export type { DrawsLink, OpenDraws }

let opener: OpenDraws | undefined

/** Opens a run's draws. One worker serves all runs of the page, and starts with the first. */
export const openDraws: OpenDraws = (run) => {
  if (opener === undefined) {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    const channel = new Channel(worker)
    worker.addEventListener('error', () => channel.fail())
    opener = channel.open
  }
  return opener(run)
}
