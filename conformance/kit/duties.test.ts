/** The duties of conformance/README.md on the client behind a driver, each with a failure of its own between both. */
import { afterAll, beforeAll, beforeEach, describe, inject } from 'vitest'
import { goldenDuties } from './duties/golden.ts'
import { readerDuties } from './duties/reader.ts'
import { World } from './duties/world.ts'
import { writerDuties } from './duties/writer.ts'

const kit = inject('kit')
let world: World | undefined

function present(): World {
  if (world === undefined) throw new Error('the drivers do not run yet')
  return world
}

const DUTIES: Readonly<Record<string, (world: () => World) => void>> = {
  writer: writerDuties,
  reader: readerDuties,
  'golden files': goldenDuties,
}

describe('duties', () => {
  beforeAll(async () => {
    world = await World.open()
  })
  beforeEach(() => world?.reset())
  afterAll(() => world?.close())

  for (const [name, define] of Object.entries(DUTIES)) {
    if (kit.only.length === 0 || kit.only.includes(name)) describe(name, () => define(present))
  }
})
