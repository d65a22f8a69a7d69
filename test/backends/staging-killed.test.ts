/** A process that is killed while it stages objects: what was acknowledged is there, and nothing is there by half. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { stagedBytes } from '../../src/core/staging.ts'
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { objectAt, pathAt } from '../support/staged-pattern.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

const SCRIPT = fileURLToPath(new URL('../support/stage-forever.ts', import.meta.url))

/** Objects that were acknowledged before the process was killed, at the moment of the last of `least`. */
async function acknowledged(path: string, least: number): Promise<number[]> {
  const child = spawn(process.execPath, [SCRIPT, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const said: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(Number(line))
    if (said.length === least) child.kill('SIGKILL')
  }
  await ended
  return said
}

test.each([1, 60, 400])(
  'after %i acknowledgements',
  async (least) => {
    const folder = newFolder()
    const path = join(folder, 'killed.sqlite')
    try {
      const said = await acknowledged(path, least)
      const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
      const store = storage.openStore('local')
      const listed = await store.listStaged('r', '')
      const found = await store.staged(
        'r',
        listed.map((object) => object.path),
      )
      const indices = listed.map((object) => Number(object.path.split('/').at(-1)))
      expect(said.filter((i) => !indices.includes(i))).toEqual([])
      // Eight were under way.
      expect(indices.length).toBeLessThanOrEqual(said.length + 8)
      for (const [at, i] of indices.entries()) {
        expect(listed[at]?.path).toBe(pathAt(i))
        expect(Buffer.compare(found[at] ?? new Uint8Array(), objectAt(i))).toBe(0)
      }
      const { bytes } = await store.usage()
      expect(bytes).toBe(listed.reduce((n, object) => n + stagedBytes(object.path, object.size), 0))
      await storage.close()
    } finally {
      removeFolder(folder)
    }
  },
  60_000,
)
