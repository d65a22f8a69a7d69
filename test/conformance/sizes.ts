/** Many variables, large draws, many small batches. */
import { expect, test } from 'vitest'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import { expectSameArray, expectSameDraws, floats, named, randomArray, randomWords, stack, texts } from './arrays.ts'
import { type Column, indicesOf, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const MIB = 1024 * 1024

export const sizes: Topic = {
  name: 'sizes',
  reads: true,
  define(suite) {
    test('300 variables', async () => {
      const kinds: readonly Omit<Column, 'name'>[] = [
        { dtype: 'float64', shape: [] },
        { dtype: 'float64', shape: [4] },
        { dtype: 'int64', shape: [] },
        { dtype: 'float32', shape: [-1] },
        { dtype: 'str', shape: [] },
      ]
      const columns = Array.from({ length: 300 }, (_, i): Column => {
        return { name: `theta[${i}]`, ...(kinds[i % kinds.length] ?? { dtype: 'bool', shape: [] }) }
      })
      const content = suite.content(40, columns)
      const chain = await suite.newChain(columns.map(variableOf))
      let length = 0
      for (const count of [1, 20, 1, 3, 100, 1]) length = await chain.appendBatch(content.batch(length, count))
      const read = await suite.otherChain(chain)
      for (let i = 0; i < 300; i += Math.ceil(300 / suite.rounds(300, 30))) {
        const column = columns[i]
        if (column === undefined) continue
        expectSameDraws(await read.getDraws(column.name), content.read(column, indicesOf(0, length, 1)))
      }
      for (const index of [0, 21, length - 1]) {
        const at = await read.getDrawsAt(index)
        expect(at.size).toBe(300)
        for (const column of columns) expectSameArray(at.get(column.name), content.draw(column, index))
      }
    })

    test('draws of 5 MB, in every layout', async () => {
      const elements = (5 * 1000 * 1000) / 8
      const words = Array.from({ length: 50_000 }, (_, i) => `word ${i} ${'μ'.repeat(i % 90)}`)
      const chain = await suite.newChain([
        { name: 'rigid', dtype: 'float64', shape: [5, elements / 5] },
        { name: 'ragged', dtype: 'float64', shape: [-1] },
        { name: 'words', dtype: 'str', shape: [words.length] },
        { name: 'any words', dtype: 'str', undefinedNdim: true },
        { name: 'x', dtype: 'float64' },
      ])
      const rigid = [0, 1, 2].map((seed) => randomArray(randomWords(seed), 'float64', [5, elements / 5]))
      const ragged = [0, elements, 3].map((size) => randomArray(randomWords(size), 'float64', [size]))
      const rotated = [0, 1, 2].map((n) => texts([words.length], [...words.slice(n), ...words.slice(0, n)]))
      const any = [texts([2, 25_000], words), texts([], ['']), texts([0], [])]
      for (let i = 0; i < 3; i++) {
        const draws = named(
          ['rigid', stack('float64', [5, elements / 5], rigid.slice(i, i + 1))],
          ['ragged', ragged.slice(i, i + 1)],
          ['words', stack('str', [words.length], rotated.slice(i, i + 1))],
          ['any words', any.slice(i, i + 1)],
          ['x', floats([1], [i])],
        )
        expect(await chain.appendBatch({ start: i, count: 1, draws })).toBe(i + 1)
        // The retry of a large draw is compared, not stored.
        if (i === 1) expect(await chain.appendBatch({ start: i, count: 1, draws })).toBe(2)
      }
      const read = await suite.otherChain(chain)
      expectSameDraws(await read.getDraws('rigid'), stack('float64', [5, elements / 5], rigid))
      expectSameDraws(
        await read.getDraws('rigid', { start: -1, stop: 0, step: -1 }),
        stack('float64', [5, elements / 5], rigid.slice(1).toReversed()),
      )
      expectSameDraws(await read.getDraws('ragged'), ragged)
      expectSameDraws(await read.getDraws('words'), stack('str', [words.length], rotated))
      expectSameDraws(
        await read.getDraws('any words', { step: 2 }),
        [any[0], any[2]].flatMap((draw) => draw ?? []),
      )
      expectSameDraws(await read.getDraws('x'), floats([3], [0, 1, 2]))
      const at = await read.getDrawsAt(1)
      expectSameArray(at.get('rigid'), rigid[1] ?? floats([], []))
      expectSameArray(at.get('ragged'), ragged[1] ?? floats([], []))
    })

    test('very many batches of one draw', async () => {
      const columns: readonly Column[] = [
        { name: 'x', dtype: 'float64', shape: [] },
        { name: 'y', dtype: 'float32', shape: [3] },
        { name: 'n', dtype: 'int16', shape: [-1] },
      ]
      const content = suite.content(41, columns)
      const chain = await suite.newChain(columns.map(variableOf))
      const batches = suite.rounds(10_000, 60)
      for (let i = 0; i < batches; i++) expect(await chain.appendBatch(content.batch(i, 1))).toBe(i + 1)
      const read = await suite.otherChain(chain)
      for (const column of columns) {
        expectSameDraws(await read.getDraws(column.name), content.read(column, indicesOf(0, batches, 1)))
        const slice = { start: -1, stop: 10, step: -13 }
        const count = Math.ceil((batches - 1 - 10) / 13)
        expectSameDraws(
          await read.getDraws(column.name, slice),
          content.read(column, indicesOf(batches - 1, count, -13)),
        )
      }
      for (const index of [0, Math.min(255, batches - 2), batches - 1]) {
        const at = await read.getDrawsAt(index)
        for (const column of columns) expectSameArray(at.get(column.name), content.draw(column, index))
      }
    })

    test('batches of many MiB', async () => {
      const chain = await suite.newChain([
        { name: 'x', dtype: 'float64', shape: [128] },
        { name: 'flag', dtype: 'bool' },
      ])
      const each = suite.rounds(8192, 1024)
      const expected: Uint8Array[] = []
      for (let i = 0; i < 3; i++) {
        const x = randomArray(randomWords(50 + i), 'float64', [each, 128])
        const flag = randomArray(randomWords(60 + i), 'bool', [each])
        const draws = named(['x', x], ['flag', flag])
        if (x.dtype === 'float64') expected.push(new Uint8Array(x.data.buffer.slice(0)))
        await chain.appendBatch({ start: i * each, count: each, draws })
      }
      const read = await (await suite.otherChain(chain)).getDraws('x')
      expect(!isListOf(read) && read.shape).toEqual([3 * each, 128])
      if (isListOf(read) || read.dtype !== 'float64') return
      for (const [i, bytes] of expected.entries()) {
        const part = new Uint8Array(read.data.buffer, read.data.byteOffset + i * bytes.length, bytes.length)
        let same = part.length === bytes.length
        for (let k = 0; same && k < bytes.length; k++) same = part[k] === bytes[k]
        expect(same, `${bytes.length / MIB} MiB of batch ${i}`).toBe(true)
      }
    })
  },
}

function isListOf(draws: NdArray | readonly NdArray[]): draws is readonly NdArray[] {
  return Array.isArray(draws)
}
