/** Names that break what is careless: they are data, in every backend. */
import { expect, test } from 'vitest'
import { testUnless } from '../support/skip.ts'
import { expectSameDraws, floats } from './arrays.ts'
import { NO_DRAWS, type Topic } from './suite.ts'

export const HOSTILE_NAMES = [
  'a/b',
  'theta[1,2]',
  'μ',
  'log prior',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  "x'; DROP TABLE chunks; --",
  '"quoted"',
  'a&b=c',
  'a+b',
  '%2F%00',
  '#?',
  '..',
  ' ',
  '\u0000',
  '\n',
  'e\u0301',
  'é',
  '\ufeff',
  '😀'.repeat(256),
  'n'.repeat(256),
  '0',
  '-1',
  'null',
]

export const names: Topic = {
  name: 'names',
  reads: false,
  define(suite) {
    const reads = testUnless(suite.keepsDraws ? undefined : NO_DRAWS)

    const variables = HOSTILE_NAMES.map((name) => ({ name, dtype: 'float64' }))

    test('hostile names are taken and told apart', async () => {
      const run = await suite.newRun(variables, variables)
      const found = await suite.other.getRun(run.rid)
      expect(found?.meta.variables?.map((v) => v.name)).toEqual(HOSTILE_NAMES)
      expect(found && [...found.schema.draws.keys()]).toEqual(HOSTILE_NAMES)
      expect(found && [...found.schema.stats.keys()]).toEqual(HOSTILE_NAMES)
    })

    reads('draws under hostile names come back under them', async () => {
      const chain = await suite.newChain(variables, variables)
      const column = (i: number) => floats([2], [i, -i])
      const stat = (i: number) => floats([2], [i + 0.5, i + 0.25])
      await chain.appendBatch({
        start: 0,
        count: 2,
        draws: new Map(HOSTILE_NAMES.map((name, i) => [name, column(i)])),
        stats: new Map(HOSTILE_NAMES.map((name, i) => [name, stat(i)])),
      })
      const read = await suite.otherChain(chain)
      for (const [i, name] of HOSTILE_NAMES.entries()) {
        expectSameDraws(await read.getDraws(name), column(i))
        expectSameDraws(await read.getStats(name), stat(i))
      }
      const last = await read.getDrawsAt(-1)
      expect([...last.keys()].sort()).toEqual([...HOSTILE_NAMES].sort())
      expect(last.get('__proto__')?.data[0]).toBe(-HOSTILE_NAMES.indexOf('__proto__'))
    })

    reads('an object with a key __proto__ is a draw like any other', async () => {
      const chain = await suite.newChain([
        { name: '__proto__', dtype: 'float64' },
        { name: 'x', dtype: 'float64' },
      ])
      await chain.append(JSON.parse('{"__proto__": 1.5, "x": 2.5}'))
      await suite.flush(chain)
      expectSameDraws(await chain.getDraws('__proto__'), floats([1], [1.5]))
    })

    test('a name of 257 code points is refused', async () => {
      for (const name of ['n'.repeat(257), '😀'.repeat(257)]) {
        await expect(suite.newRun([{ name, dtype: 'float64' }])).rejects.toMatchObject({ code: 'invalid_run_meta' })
      }
    })

    reads('a name that was not registered is unknown', async () => {
      const chain = await suite.newChain([{ name: 'x', dtype: 'float64' }], [{ name: 'lp', dtype: 'float64' }])
      for (const name of ['lp', '', 'X', '__proto__', 'toString']) {
        await expect(chain.getDraws(name)).rejects.toMatchObject({ code: 'unknown_variable' })
      }
      await expect(chain.getStats('x')).rejects.toMatchObject({ code: 'unknown_variable' })
    })
  },
}
