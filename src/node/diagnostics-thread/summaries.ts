/** Summaries on Node: computed in a thread, and read so that appends do not wait. */
import { setTimeout } from 'node:timers/promises'
import { Rests } from '../../core/summary/rests.ts'
import { Summaries } from '../../core/summary/summaries.ts'
import { Workshop } from '../../core/summary/workshop.ts'
import type { Tally } from '../tally.ts'
import { ThreadBench } from './bench.ts'

/** Summaries that leave three quarters of the time to those whose draws the tally counts. */
export function summariesBeside(tally: Tally): Summaries {
  const rests = new Rests(() => tally.draws)
  const rest = async (worked: number) => {
    const milliseconds = rests.after(worked)
    if (milliseconds > 0) await setTimeout(milliseconds)
  }
  return new Summaries(new Workshop(new ThreadBench(tally), { rest }))
}
