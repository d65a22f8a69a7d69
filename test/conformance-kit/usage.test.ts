/** The arguments of the kit: help, and what is wrong with others. */
import { expect, test } from 'vitest'
import { HELP, readArguments } from '../../conformance/kit/arguments.ts'
import { runKit } from './run-kit.ts'

test.each([
  [[], '--driver COMMAND or --server URL is missing'],
  [['--driver', 'x', '--faults', '2'], '--faults is a number from 0 to 0.9, not "2"'],
  [['--driver', 'x', '--only', 'nothing'], 'there is no topic nothing; there are: runs, names'],
  [['--driver', 'x', '--url', 'localhost'], '--url is an address such as http://127.0.0.1:8787, not "localhost"'],
  [['--driver', 'x', '--nonsense'], "Unknown option '--nonsense'"],
])('%j is refused', (args, sentence) => {
  expect(() => readArguments(args)).toThrow(sentence)
})

test('arguments as they are read', () => {
  const given = ['--driver', 'cat', '--url', 'http://127.0.0.1:1/', '--faults', '0.3', '--only', 'names', '--seed', '7']
  const expected = { driver: 'cat', url: 'http://127.0.0.1:1', faults: 0.3, only: ['names'], seed: 7, scale: 0.1 }
  expect(readArguments(given)).toMatchObject(expected)
  expect(readArguments(['--help'])).toBeUndefined()
})

test('the exit code of help is 0, and of bad usage 2', async () => {
  expect(await runKit('--help')).toEqual({ code: 0, output: `${HELP}\n` })
  expect(await runKit('--driver')).toMatchObject({ code: 2, output: expect.stringContaining('--help has all options') })
})
