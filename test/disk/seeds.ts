/** Seeds of random schedules: as many as `MCB_SCHEDULES` says, or the one of `MCB_SEED`, to see a failure again. */

/** The schedules that a test runs. */
export function seedsOf(count: number): number[] {
  const { MCB_SEED, MCB_SCHEDULES } = process.env
  if (MCB_SEED !== undefined) return [Number(MCB_SEED)]
  return Array.from({ length: MCB_SCHEDULES === undefined ? count : Number(MCB_SCHEDULES) }, (_, seed) => seed)
}

/** Runs a schedule for each seed, one after the other; an error names the seed, and how to see it again. */
export async function runSchedules(seeds: readonly number[], schedule: (seed: number) => Promise<void>): Promise<void> {
  const failures: string[] = []
  for (const seed of seeds) {
    try {
      await schedule(seed)
    } catch (error) {
      failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`)
      if (failures.length === MOST_FAILURES) break
    }
  }
  if (failures.length > 0) throw new Error(`MCB_SEED=n repeats the one schedule of seed n\n${failures.join('\n')}`)
}

/** Failures that are told: one is not enough to see whether they are of one kind. */
const MOST_FAILURES = 10
