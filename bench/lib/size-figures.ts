/** The size of the file: bytes that a draw takes in it, by the size of the batches that brought it. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import type { Figure, Scale } from './figures.ts'
import { Body, eightSchools, type Model, scalars, vector } from './model.ts'

const MIB = 1024 * 1024
const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
const CHAINS = 4

const MODELS: readonly (readonly [string, Model, readonly number[]])[] = [
  ['eight schools', eightSchools(), [1, 100, 1000]],
  ['300 scalars', scalars(300), [1, 100, 1000]],
  ['a vector of 10,000', vector(10_000), [1, 100]],
]

export async function sizeFigures(scale: Scale): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [name, model, batches] of MODELS) {
    for (const batch of batches) figures.push(await sizeFigure(name, model, batch, scale))
  }
  return figures
}

/** The file when it is closed, without what an empty one takes, against the bytes of the numbers themselves. */
async function sizeFigure(name: string, model: Model, batch: number, { data }: Scale): Promise<Figure> {
  const folder = mkdtempSync('data-bench-')
  try {
    const empty = await written(join(folder, 'empty.sqlite'), model, batch, 0)
    const wished = Math.ceil((64 * MIB * data) / (CHAINS * model.drawBytes))
    // A batch of one draw waits for the disk as long as a large one.
    const draws = batch === 1 ? Math.min(wished, 4000 * data) : Math.ceil(wished / batch) * batch
    const bytes = (await written(join(folder, 'full.sqlite'), model, batch, draws)) - empty
    const each = bytes / (CHAINS * draws)
    return {
      name: `${name}, ${batch} draws a batch: file / numbers`,
      value: Number((each / model.drawBytes).toFixed(3)),
      unit: 'ratio',
      goal: 'report',
      met: null,
      detail: `${each.toFixed(0)} bytes a draw of ${model.drawBytes}; ${CHAINS} chains of ${draws} draws`,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function written(path: string, model: Model, batch: number, draws: number): Promise<number> {
  const driver = new FileDriver({ path, migrations: MIGRATIONS })
  const backend = new StoreBackend(new SqliteStore(driver, 'local', DEFAULT_LIMITS))
  const { registration } = await backend.store.register({
    rid: 'r',
    meta: model.meta.slice(),
    variables: 1,
    sampleStats: 0,
    terms: [],
  })
  await Promise.all(
    Array.from({ length: CHAINS }, async (_, chain) => {
      await backend.store.createChain(registration, chain)
      const body = new Body(model, batch, chain + 1)
      for (let start = 0; start < draws; start += batch) {
        body.startAt(start)
        await backend.store.append(registration, chain, body.bytes.slice())
      }
    }),
  )
  driver.close()
  return statSync(path).size
}
