/** Deleting hidden runs: first what the bucket has of them, then their rows, so that what is left is always found again. */
import { turn } from '../../core/turn.ts'
import type { Objects } from '../../objects/objects.ts'
import { numberIn, type Program, type SqlDriver, textIn } from '../../sql/program.ts'
import { HIDDEN_RUNS_SQL, purgeSome } from '../sqlite/runs.ts'
import { hiddenStages, purgeStage } from '../sqlite/staging.ts'

export interface HiddenRun {
  readonly id: number
  readonly tenant: string
  readonly registration: string
}

export function* hiddenRuns(): Program<HiddenRun[]> {
  const [rows = []] = yield { reads: [{ sql: `SELECT id, tenant, registration ${HIDDEN_RUNS_SQL}`, params: [] }] }
  return rows.map((row) => ({
    id: numberIn(row, 'id'),
    tenant: textIn(row, 'tenant'),
    registration: textIn(row, 'registration'),
  }))
}

/** @param clear deletes what the bucket has of a run; absent where that is nothing */
export async function purgeRuns(driver: SqlDriver, clear?: (run: HiddenRun) => Promise<void>): Promise<void> {
  for (const run of await driver.run(hiddenRuns)) {
    await clear?.(run)
    while (await driver.run(() => purgeSome(run.id))) if (clear !== undefined) await turn()
  }
}

export async function purgeStages(driver: SqlDriver): Promise<void> {
  for (const id of await driver.run(hiddenStages)) await purgeStage(driver, id)
}

/** Keys that are deleted together. */
const KEYS_TOGETHER = 1000

/** Deletes all objects whose keys begin so. @throws McbError `storage_unavailable` */
export async function clearPrefix(objects: Objects, prefix: string): Promise<void> {
  let keys: string[] = []
  for await (const { key } of objects.list(prefix)) {
    keys.push(key)
    if (keys.length < KEYS_TOGETHER) continue
    await objects.delete(keys)
    keys = []
  }
  if (keys.length > 0) await objects.delete(keys)
}
