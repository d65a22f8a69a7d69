/** Deleting hidden runs: first the objects of their chains, then their rows, so that what is left is always found again. */
import type { Objects } from '../../objects/objects.ts'
import type { Program, SqlDriver } from '../../sql/program.ts'
import { chainAsFound, chainsOf, isChainIntact } from '../sqlite/chain.ts'
import { hiddenRuns, purgeSome } from '../sqlite/runs.ts'
import { hiddenStages, purgeStage } from '../sqlite/staging.ts'
import { objectKey } from './fold-chain.ts'

/**
 * The objects of a run's chains; with one more of each, which a fold that was cut off may have begun. Those of a chain whose
 * row is damaged are left to the sweep: they might be another's.
 */
function* objectsOf(runId: number): Program<string[]> {
  const [rows = []] = yield { reads: [chainsOf(runId)] }
  return rows.flatMap((row) => {
    const chain = { ...chainAsFound(row), runId }
    if (!isChainIntact(row, chain)) return []
    return Array.from({ length: chain.object + 1 }, (_, i) => objectKey(chain.id, i + 1))
  })
}

export async function purgeRun(driver: SqlDriver, objects: Objects, runId: number): Promise<void> {
  await objects.delete(await driver.run(() => objectsOf(runId)))
  while (await driver.run(() => purgeSome(runId)));
}

/** Completes deletions that were cut off when the process before this one ended. */
export async function purgeHidden(driver: SqlDriver, objects: Objects): Promise<void> {
  for (const id of await driver.run(hiddenRuns)) await purgeRun(driver, objects, id)
  for (const id of await driver.run(hiddenStages)) await purgeStage(driver, id)
}
