/** Stats of which one draw is large are in an archive where they are present, and take no room where they are absent. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectSame, exported, imported } from '../support/moved.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { registerWide } from './kinds.ts'
import { openServer } from './served.ts'

test('they are the same elsewhere, and the archive is as small as the draws', async () => {
  const [from, to, folder] = [await openServer(), await openServer(), newFolder()]
  try {
    await registerWide(from.url)
    const path = join(folder, 'wide.mcb')
    await exported(from.url, 'wide-stats', path)
    // One draw of three has the stat of 8 MB.
    expect(statSync(path).size).toBeLessThan(8_010_000)
    await imported(to.url, path)
    await expectSame(from.url, to.url, 'wide-stats')
  } finally {
    await from.close()
    await to.close()
    removeFolder(folder)
  }
})
