/** Runs of every kind on their way through all storages, and the same at the end: SQLite, run objects, ClickHouse, SQLite. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registerKinds, registerWide } from '../cli/kinds.ts'
import { openServer } from '../cli/served.ts'
import { Target } from '../kill/target.ts'
import { expectMoved, expectSame, ridsOf } from '../support/moved.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

let folder: string
const ends: (() => Promise<void>)[] = []
const urls: string[] = []

beforeAll(async () => {
  folder = newFolder()
  const open = async (start: () => Promise<{ readonly url: string; end: () => Promise<void> }>) => {
    const { url, end } = await start()
    urls.push(url)
    ends.push(end)
  }
  const sqlite = async () => {
    const { url, close } = await openServer()
    return { url, end: close }
  }
  const target = (name: 'worker' | 'clickhouse') => async () => {
    const started = await Target.start(name, `${folder}/${name}`)
    return { url: started.url, end: () => started.dispose() }
  }
  for (const start of [sqlite, target('worker'), target('clickhouse'), sqlite]) await open(start)
}, 300_000)
afterAll(async () => {
  for (const end of ends) await end()
  removeFolder(folder)
}, 120_000)

test('each storage gives what the one before it gave', async () => {
  const [first = '', ...rest] = urls
  await registerKinds(first)
  await registerWide(first)
  const rids = await ridsOf(first)
  let from = first
  for (const to of rest) {
    expect(await expectMoved(from, to)).toBe(rids.length)
    from = to
  }
  for (const rid of rids) await expectSame(first, from, rid)
})
