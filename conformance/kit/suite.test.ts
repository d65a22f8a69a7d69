/** test/conformance on the client behind a driver, through a proxy that fails where that is asked for. */
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeEach, expect, inject, test } from 'vitest'
import { randomWords } from '../../test/conformance/arrays.ts'
import { TOPICS } from '../../test/conformance/index.ts'
import { conformanceOf, type Opened } from '../../test/conformance/suite.ts'
import { testUnless } from '../../test/support/skip.ts'
import { DriverChain } from './backend.ts'
import { meet, reviveAll, type Started, startClient } from './clients.ts'
import { RawServer } from './duties/raw.ts'
import { byChance, FailingProxy } from './proxy.ts'
import { SUITE_TOPICS } from './topics.ts'

const kit = inject('kit')
const isWanted = (topic: string) => kit.only.length === 0 || kit.only.includes(topic)

/** Capabilities that no client has where answers get lost. */
const LOST = 'through faults: an answer that was lost may have been the one that tells it'
const UNTOLD = new Map([
  ['fields', 'the JSON of drivers: of an error it has the code, and the length of a chain'],
  ...(kit.faults > 0 ? (['isNew', 'exclusive', 'deleted'] as const).map((name) => [name, LOST] as const) : []),
])

/** Capabilities that the client lacks here: known when its driver has greeted. */
const lacks = new Map(UNTOLD)

let started: Started[] = []
let proxy: FailingProxy | undefined

async function open(): Promise<Opened> {
  const opened = await FailingProxy.start(kit.url)
  proxy = opened
  const raw = new RawServer(kit.url, kit.token)
  const first = await startClient(kit, opened.url, raw, UNTOLD)
  const second = await startClient(kit, opened.url, raw, UNTOLD)
  started = [first, second]
  for (const [name, why] of first.client.driver.greeting.lacks) lacks.set(name, why)
  // Faults begin behind the first answer.
  await meet(started)
  const word = randomWords(kit.seed)
  if (kit.faults > 0) opened.plan = byChance(kit.faults, () => word() / 2 ** 32)
  return {
    backend: first.backend,
    other: second.backend,
    flush: async (chain) => {
      if (chain instanceof DriverChain) await chain.flush()
    },
    close: async () => {
      const ending = started
      // No driver is started again for tests behind these, which ask it nothing.
      started = []
      const ends = await Promise.allSettled(ending.map((one) => one.stop()))
      writeFileSync(kit.injected, JSON.stringify([...opened.injected]))
      await opened.stop()
      await raw.removeAll(opened.created)
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    },
  }
}

beforeEach(async () => {
  if (proxy === undefined) return
  const { plan } = proxy
  proxy.plan = () => undefined
  await reviveAll(started)
  proxy.plan = plan
})

fc.configureGlobal({ seed: kit.seed })

test('every topic of the suite is known to the kit', () => {
  expect(TOPICS.map(({ name }) => name).sort()).toEqual(Object.keys(SUITE_TOPICS).sort())
})

for (const { name } of TOPICS) {
  const why = SUITE_TOPICS[name]
  if (why !== undefined && isWanted(name)) testUnless(why)(name, () => {})
}

conformanceOf(
  {
    name: 'suite',
    keepsDraws: true,
    scale: kit.scale,
    every: kit.scale < 1 ? 5 : 1,
    prefix: `conform-${kit.seed}-${Date.now().toString(36)}`,
    lacks,
    open,
  },
  TOPICS.filter(({ name }) => SUITE_TOPICS[name] === undefined && isWanted(name)),
)

// Tests of other topics go on without these, so that it is said here what they have left out.
test.for(['fields', 'isNew', 'registration', 'deleted'])('%s is looked at', (name, { skip }) => {
  const why = lacks.get(name)
  if (why !== undefined) skip(`${name}: ${why}`)
})
