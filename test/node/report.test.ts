/** Failures in the log: a storage that fails once in a while, in one line; a defect each time, with everything. */
import { expect, test } from 'vitest'
import { McbError } from '../../src/core/errors.ts'
import { reportTo } from '../../src/node/report.ts'
import { endInTurn } from '../../src/node/stop.ts'

function full(): McbError {
  const cause = new Error('database or disk is full\n\u001b[31m')
  return new McbError('storage_unavailable', 'the storage cannot take this now', {}, { cause })
}

test('a storage that cannot take anything is told in one line, and the next one counts what came between', () => {
  const lines: (readonly unknown[])[] = []
  let now = 0
  const report = reportTo(
    (...parts) => lines.push(parts),
    () => now,
  )
  for (let i = 0; i < 1000; i++) {
    report(`request-${i}`, full())
    now += 5
  }
  expect(lines).toEqual([['request-0', expect.stringMatching(/^storage_unavailable: .* <- database or disk is full/)]])
  expect(String(lines[0]?.[1])).not.toContain('\n')
  now = 10_000
  report('later', full())
  report('later', new McbError('storage_unavailable', 'the file is held'))
  expect(lines.slice(1)).toEqual([
    ['later', expect.stringContaining('(999 more since the last line)')],
    ['later', expect.stringContaining('held')],
  ])
})

test('a cause that differs in its numbers alone is one', () => {
  const lines: (readonly unknown[])[] = []
  const report = reportTo(
    (...parts) => lines.push(parts),
    () => 0,
  )
  for (let mib = 100; mib < 200; mib++) report('r', new McbError('storage_unavailable', `the disk has ${mib} MiB free`))
  expect(lines).toEqual([['r', 'storage_unavailable: the disk has 100 MiB free']])
})

test('a defect is told each time, with its stack', () => {
  const lines: (readonly unknown[])[] = []
  const report = reportTo(
    (...parts) => lines.push(parts),
    () => 0,
  )
  const defect = new TypeError('no such thing')
  report('a', defect)
  report('b', defect)
  expect(lines).toEqual([
    ['a', defect],
    ['b', defect],
  ])
})

test('a stop waits for nothing without end, and says what did not end', async () => {
  const ended: string[] = []
  const left = await endInTurn([
    { name: 'one', end: () => new Promise(() => {}), ms: 20 },
    { name: 'two', end: () => Promise.reject(new Error('the disk failed')), ms: 60_000 },
    { name: 'three', end: async () => void ended.push('three'), ms: 60_000 },
  ])
  expect(left).toBe('one did not end (not within 0.02 s), two did not end (the disk failed)')
  expect(ended).toEqual(['three'])
  expect(await endInTurn([{ name: 'one', end: async () => {}, ms: 60_000 }])).toBeUndefined()
})
