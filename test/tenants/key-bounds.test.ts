/** Bounds of keys and shares: in a file, through the storage thread, and over HTTP. */

import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { SqlControl } from '../../src/access/sql/sql-control.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { expectProblem, jsonOf } from '../http/api.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'
import { keyBounds } from './key-bounds.ts'
import { makeKey, newLab, newRun, newWorld } from './world.ts'

const driver = new FileDriver({ path: ':memory:', migrations: MIGRATIONS })
keyBounds({ name: 'SQLite', open: () => new SqlControl(driver) })

const folder = newFolder()
const thread = await openFolderStorage({ path: join(folder, 'test.sqlite'), migrations: MIGRATIONS })
keyBounds({ name: 'the storage thread', open: () => thread.control })
afterAll(async () => {
  await thread.close()
  removeFolder(folder)
})

describe('over HTTP', () => {
  const limits = { ...DEFAULT_LIMITS, keys: 3, shares: 2 }

  test('403 quota_exceeded, and the way out', async () => {
    const world = newWorld({ limits })
    const admin = await newLab(world, 'lab')
    await newRun(world, admin, 'r')
    const wish = { name: 'x', scopes: ['read'] }
    for (let i = 0; i < 2; i++) expect((await world.call(admin, 'POST', '/v1/keys', wish)).status).toBe(201)
    const refused = await expectProblem(await world.call(admin, 'POST', '/v1/keys', wish), 403, 'quota_exceeded')
    expect(refused).toMatchObject({ limit: 3, detail: expect.stringContaining('revoke') })
    const share = () => world.call(admin, 'POST', '/v1/runs/r/shares', {})
    for (let i = 0; i < 2; i++) expect((await share()).status).toBe(201)
    expect(await expectProblem(await share(), 403, 'quota_exceeded')).toMatchObject({ limit: 2 })
    expect((await jsonOf(await world.call(admin, 'GET', '/v1/keys'))).keys).toHaveLength(5)
    // The keys that were there work, and those that were refused have left nothing.
    expect((await world.call(admin, 'DELETE', '/v1/runs/r')).status).toBe(204)
    expect((await jsonOf(await world.call(admin, 'GET', '/v1/keys'))).keys).toHaveLength(3)
  })

  test('the numbers of the contract', () => {
    expect(DEFAULT_LIMITS).toMatchObject({ keys: 10_000, shares: 1000 })
  })

  test('a key of one run is refused as well, and makes no room for another', async () => {
    const world = newWorld({ limits })
    await newLab(world, 'lab')
    const { key } = await makeKey(world, 'lab', { scopes: ['admin'], run: 'r' })
    const wish = { name: 'x', scopes: ['read'], run: 'r' }
    expect((await world.call(key, 'POST', '/v1/keys', wish)).status).toBe(201)
    await expectProblem(await world.call(key, 'POST', '/v1/keys', wish), 403, 'quota_exceeded')
  })
})
