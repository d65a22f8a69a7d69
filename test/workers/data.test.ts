/** Real reference draws go into D1, directly and through the client and the worker, and come back bit for bit. */
import { describe, expect, inject, it } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import type { Backend } from '../../src/core/interfaces.ts'
import type { ReferenceDraws } from '../support/posteriordb.ts'
import { roundTrip } from '../support/reference.ts'
import { fetchWorker, openBackend } from './local.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** JSON of the reference draws; null where the folder is absent. */
    reference: string
  }
}

const reference: { readonly [posterior: string]: ReferenceDraws } | null = JSON.parse(inject('reference'))

const WAYS: Readonly<Record<string, () => Backend>> = {
  directly: openBackend,
  'through the client': () => new HttpBackend({ url: 'http://worker.test', fetch: fetchWorker }),
}

describe('reference draws of posteriordb on D1', () => {
  for (const [way, open] of Object.entries(WAYS)) {
    it(way, async ({ skip }) => {
      if (reference === null) return skip('../shared/data/posteriordb is absent')
      const backend = open()
      for (const [posterior, chains] of Object.entries(reference)) {
        expect(chains).toHaveLength(10)
        await roundTrip(backend, `${posterior}-${way.replaceAll(' ', '-')}`, chains)
      }
    })
  }
})
