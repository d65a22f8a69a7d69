/** Looking at runs that other processes write: how often, for how many, and until when. */
import { afterEach, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { McbError } from '../../src/core/errors.ts'
import type { RunWatcher } from '../../src/core/store.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A memory that two servers have in common, and that counts how often it is asked for chains. */
class SharedMemory extends MemoryStore {
  override readonly writersElsewhere = true
  asked = 0
  isDown = false

  override chains(registration: string) {
    this.asked++
    if (this.isDown) return Promise.reject(new McbError('storage_unavailable', 'the storage is down'))
    return super.chains(registration)
  }
}

class Heard implements RunWatcher {
  readonly told: string[] = []

  grown(chain: number, length: number): void {
    this.told.push(`${chain}: ${length}`)
  }

  deleted(): void {
    this.told.push('deleted')
  }

  lost(): void {
    this.told.push('lost')
  }
}

async function newServers(looksPerWatch?: number) {
  vi.useFakeTimers()
  const store = new SharedMemory()
  const options = looksPerWatch === undefined ? {} : { looksPerWatch }
  const here = new StoreBackend(store, undefined, options)
  const elsewhere = new StoreBackend(store)
  const written = await elsewhere.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  const chain = await written.initChain(0)
  const run = await here.getRun('r')
  if (run === undefined) throw new Error('the run is not seen')
  store.asked = 0
  return { store, here, elsewhere, run, write: () => chain.append({ x: 1 }) }
}

async function watch(run: StoreRun) {
  const heard = new Heard()
  const stop = await run.watch(heard)
  heard.told.length = 0
  return { told: heard.told, stop }
}

const seconds = (n: number) => vi.advanceTimersByTimeAsync(n * 1000 + 100)

test('what is written elsewhere is told within a second or two, and once', async () => {
  const { run, write } = await newServers()
  const { told } = await watch(run)
  await write()
  await seconds(2)
  expect(told).toContain('0: 1')
  const before = told.length
  await seconds(20)
  expect(told).toHaveLength(before)
})

test('what is written here is told at once', async () => {
  const { run, store } = await newServers()
  const { told } = await watch(run)
  await (await run.getChain(0))?.append({ x: 1 })
  expect(told).toEqual(['0: 1'])
  expect(store.asked).toBe(1)
})

test('one look a second, however many watch', async () => {
  const { run, store, write } = await newServers()
  const watches = []
  for (let i = 0; i < 50; i++) watches.push(await watch(run))
  expect(store.asked).toBe(50)
  await write()
  await seconds(30)
  expect(store.asked - 50).toBeGreaterThan(25)
  expect(store.asked - 50).toBeLessThanOrEqual(31)
  for (const { told } of watches) expect(told).toContain('0: 1')
})

test('the look goes on when the watch that has taken it leaves, and ends with the last', async () => {
  const { run, store, write } = await newServers()
  const first = await watch(run)
  const second = await watch(run)
  await seconds(3)
  first.stop()
  await write()
  await seconds(3)
  expect(second.told).toContain('0: 1')
  second.stop()
  second.stop()
  const { asked } = store
  await seconds(60)
  expect(store.asked).toBe(asked)
  expect(vi.getTimerCount()).toBe(0)
})

test('a storage that fails is asked ever less, and ends no watch', async () => {
  const { run, store, write } = await newServers()
  const { told } = await watch(run)
  await seconds(2)
  told.length = 0
  store.isDown = true
  store.asked = 0
  await seconds(120)
  expect(store.asked).toBeGreaterThan(3)
  expect(store.asked).toBeLessThan(16)
  expect(told).toEqual([])
  await write()
  store.isDown = false
  await seconds(31)
  expect(told).toEqual(['0: 1'])
})

test('a run that is deleted elsewhere, and registered again, is deleted', async () => {
  const { run, here, elsewhere } = await newServers()
  const { told, stop } = await watch(run)
  await seconds(2)
  told.length = 0
  await elsewhere.deleteRun('r')
  const again = await elsewhere.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  await again.initChain(7)
  const anew = await here.getRun('r')
  if (anew === undefined) throw new Error('the run is not seen')
  const other = await watch(anew)
  await seconds(2)
  expect(told).toEqual(['deleted'])
  expect(other.told).not.toContain('deleted')
  other.stop()
  await seconds(2)
  expect(vi.getTimerCount()).toBe(0)
  stop()
})

test('a watch that has taken all the looks it may is lost', async () => {
  const { run, store } = await newServers(5)
  const { told, stop } = await watch(run)
  await seconds(10)
  expect(told.filter((word) => word === 'lost')).toHaveLength(1)
  expect(store.asked).toBe(1 + 5)
  expect(vi.getTimerCount()).toBe(0)
  stop()
})
