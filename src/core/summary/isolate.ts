/** Summaries in an isolate of Workers: little memory, and a processor that each request has for some seconds. */
import { Pace } from '../turn.ts'
import { type Effort, LocalBench, MS_EFFORT, TURN_EFFORT } from './bench.ts'
import type { SummaryMemory } from './memory.ts'
import type { Shift } from './shift.ts'
import { ISOLATE_SUMMARY_LIMITS, Summaries } from './summaries.ts'
import { Workshop } from './workshop.ts'

/**
 * Effort of a shift: about 2 s of the 30 s that a request has by default, so that a slow machine has room.
 * https://developers.cloudflare.com/durable-objects/platform/limits/
 */
export const SHIFT_EFFORT: Effort = 2000 * MS_EFFORT
/** Bytes of draws whose reading takes one step of effort. */
const READ_BYTES = 10
/** Each block of a wide variable reads all of its rows: few blocks read less, small ones take less memory. */
const BLOCK_BYTES = 16 * 1024 * 1024

/** Milliseconds that a request waits at least: what it needs to get on at all. */
export const LEAST_WAIT_MS = 500

/** Shifts that hold a block at a time in this isolate; a block takes up to 16 MiB, and twice that while it is computed. */
const PLACES = 2
/** Milliseconds after which a place is taken back: of a request that was cut off, or of work that stands still. */
const PLACE_MS = 10_000
/** Milliseconds between two looks for a place. */
const LOOK_MS = 20

/** Shifts that hold a block, of all requests and run objects of this isolate, and when each began it. */
const places = new Map<Shift, number>()

/** Summaries that are computed in shifts, a block at a time. */
export function summariesInShifts(shift: Shift, memory: SummaryMemory): Summaries {
  const pace = new Pace(TURN_EFFORT)
  const rest = async (_milliseconds: number, bytes: number) => {
    const effort = bytes / READ_BYTES
    if (pace.isDue(effort)) await shift.pause(Math.max(TURN_EFFORT, effort))
  }
  const workshop = new Workshop(new LocalBench({ pause: (effort) => shift.pause(effort) }), {
    blockBytes: BLOCK_BYTES,
    blocks: 1,
    rest,
    unattended: 'stop',
    admit: () => admit(shift),
  })
  return new Summaries(workshop, ISOLATE_SUMMARY_LIMITS, memory)
}

/**
 * Resolves when a shift has a place for its block. It looks for one: requests cannot wake each other, since what one has begun
 * ends with it.
 */
async function admit(shift: Shift): Promise<() => void> {
  while (!takePlace(shift)) {
    await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS))
    await shift.pause(0)
  }
  return () => places.delete(shift)
}

function takePlace(shift: Shift): boolean {
  const now = performance.now()
  for (const [other, since] of places) if (now - since > PLACE_MS) places.delete(other)
  if (places.size >= PLACES) return false
  places.set(shift, now)
  return true
}
