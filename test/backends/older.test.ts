/** A database of the version before runs had names: its runs are found by their attributes and times. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

const RUNS = 40
const BEGIN = Date.UTC(2026, 0, 1)
let folder: string

beforeAll(() => {
  folder = newFolder()
})
afterAll(() => removeFolder(folder))

/** The migrations up to the one before names. */
function olderMigrations(): string {
  const older = join(folder, 'migrations')
  cpSync(MIGRATIONS, older, { recursive: true })
  const journal = join(older, 'meta', '_journal.json')
  const { entries, ...more } = JSON.parse(readFileSync(journal, 'utf8'))
  const kept = entries.filter(({ tag }: { tag: string }) => tag < '0004')
  expect(kept.length).toBeLessThan(entries.length)
  writeFileSync(journal, JSON.stringify({ ...more, entries: kept }))
  return older
}

async function writeOlder(path: string): Promise<void> {
  const driver = new FileDriver({ path, migrations: olderMigrations() })
  for (let i = 0; i < RUNS; i++) {
    const rid = `old-${i}`
    const meta = encodeRunMeta({ rid, attributes: { parity: { numberValue: i % 2 }, rid: { stringValue: rid } } })
    await driver.run(function* () {
      yield {
        writes: [
          {
            sql: 'INSERT INTO runs (tenant, rid, registration, created_at, variables, sample_stats, meta_bytes) VALUES (?, ?, ?, ?, 0, 0, ?)',
            params: ['lab', rid, `registration-${i}`, BEGIN + i, meta.length],
          },
          { sql: 'INSERT INTO run_meta (run_id, part, data) SELECT max(id), 0, ? FROM runs', params: [meta] },
          {
            sql: 'INSERT INTO chains (run_id, number, length, folded, tail_rows, tail_bytes, updated_at) SELECT max(id), 0, 0, 0, 0, 0, ? FROM runs',
            params: [BEGIN + 1000 * i],
          },
        ],
      }
    })
  }
  driver.close()
}

test('runs of a version before are found by attributes and times, and get names', async () => {
  const path = join(folder, 'mcbackend.sqlite')
  await writeOlder(path)
  const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
  try {
    const backend = new StoreBackend(storage.openStore('lab'))
    const ridsOf = async (query: Parameters<StoreBackend['listRuns']>[0]) => {
      const { runs } = await backend.listRuns({ limit: 1000, ...query })
      return runs.map(({ rid }) => rid)
    }
    expect(await ridsOf({})).toHaveLength(RUNS)
    const odd = Array.from({ length: RUNS / 2 }, (_, i) => `old-${RUNS - 1 - 2 * i}`)
    await expect.poll(() => ridsOf({ attr: [['parity', '1']] }), { timeout: 10_000 }).toEqual(odd)
    expect(await ridsOf({ updatedSince: new Date(BEGIN + 1000 * (RUNS - 2)) })).toEqual([
      `old-${RUNS - 1}`,
      `old-${RUNS - 2}`,
    ])
    expect(await ridsOf({ until: new Date(BEGIN + 1) })).toEqual(['old-0'])
    const run = await backend.getRun('old-3')
    expect(await run?.setAbout({ name: 'Third', tags: ['kept'] })).toMatchObject({
      name: 'Third',
      attributes: { parity: 1 },
    })
    expect(await ridsOf({ q: 'thi', tag: ['kept'], attr: [['rid', 'old-3']] })).toEqual(['old-3'])
    expect(await backend.deleteRun('old-3')).toBe(true)
    expect(await ridsOf({ attr: [['rid', 'old-3']] })).toEqual([])
  } finally {
    await storage.close()
  }
})
