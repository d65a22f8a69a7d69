/** Strings: empty, beyond the basic plane, very long, and in every layout. */
import { expect, test } from 'vitest'
import { expectSameArray, expectSameDraws, named, texts } from './arrays.ts'
import type { Topic } from './suite.ts'

const AWKWARD = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ufeff',
  '\ufeffbom',
  'μ',
  'e\u0301',
  '😀',
  '👩‍👩‍👧‍👦',
  '\u{10ffff}',
  '\uffff',
  '\u2028\u2029',
  '\r\n\t',
  '"\\',
  "'; DROP TABLE runs; --",
  'NaN',
  '\u007f\u0080',
]

export const strings: Topic = {
  name: 'strings',
  reads: true,
  define(suite) {
    test('awkward strings, one a draw', async () => {
      const chain = await suite.newChain([{ name: 's', dtype: 'str' }], [{ name: 's', dtype: 'str' }])
      const column = texts([AWKWARD.length], AWKWARD)
      const columns = new Map([['s', column]])
      await chain.appendBatch({ start: 0, count: AWKWARD.length, draws: columns, stats: columns })
      expectSameDraws(await chain.getDraws('s'), column)
      expectSameDraws(await chain.getStats('s', { step: -1 }), texts([AWKWARD.length], AWKWARD.toReversed()))
      expect(await chain.appendBatch({ start: 0, count: AWKWARD.length, draws: columns, stats: columns })).toBe(
        AWKWARD.length,
      )
    })

    test('awkward strings in arrays, rigid and ragged', async () => {
      const chain = await suite.newChain([
        { name: 'rigid', dtype: 'str', shape: [3, 2] },
        { name: 'ragged', dtype: 'str', shape: [-1] },
        { name: 'any', dtype: 'str', undefinedNdim: true },
      ])
      const list = [texts([0], []), texts([AWKWARD.length], AWKWARD), texts([1], [''])]
      const any = [texts([], ['😀']), texts([2, 0], []), texts([1, 2], ['', '\u0000'])]
      const rigid = texts([3, 3, 2], AWKWARD.slice(0, 18))
      await chain.appendBatch({
        start: 0,
        count: 3,
        draws: named(['rigid', rigid], ['ragged', list], ['any', any]),
      })
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws('rigid'), rigid)
      expectSameDraws(await read.getDraws('ragged'), list)
      expectSameDraws(await read.getDraws('any', { step: -1 }), any.toReversed())
      expectSameArray((await read.getDrawsAt(1, ['ragged'])).get('ragged'), texts([AWKWARD.length], AWKWARD))
    })

    test('strings of a megabyte', async () => {
      const chain = await suite.newChain([
        { name: 's', dtype: 'str' },
        { name: 'list', dtype: 'str', shape: [-1] },
      ])
      const ascii = 'x'.repeat(1024 * 1024)
      const astral = '😀'.repeat(262_144)
      const column = [ascii, '', astral, `${ascii}y`]
      const list = [texts([2], [astral, 'a']), texts([0], []), texts([1], [ascii]), texts([3], ['', ascii, ''])]
      for (let i = 0; i < column.length; i++) {
        await chain.appendBatch({
          start: i,
          count: 1,
          draws: named(['s', texts([1], column.slice(i, i + 1))], ['list', list.slice(i, i + 1)]),
        })
      }
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws('s'), texts([4], column))
      expectSameDraws(await read.getDraws('s', { start: -2, stop: -1 }), texts([1], [astral]))
      expectSameDraws(await read.getDraws('list'), list)
      expectSameDraws(await read.getDraws('list', { step: -1 }), list.toReversed())
    })

    test('half a surrogate pair is no text', async () => {
      const chain = await suite.newChain([{ name: 's', dtype: 'str' }])
      for (const half of ['\ud83d', 'a\ude00b']) {
        const batch = { start: 0, count: 1, draws: new Map([['s', texts([1], [half])]]) }
        await expect(chain.appendBatch(batch)).rejects.toMatchObject({ code: 'dtype_mismatch' })
      }
      expect(await chain.length()).toBe(0)
    })
  },
}
