/** The kit finds clients that are wrong, names the duty that they neglect, and passes the one that is right. */
import { expect, test } from 'vitest'
import { runKit } from './run-kit.ts'

const planted = (bug: string) => `${process.execPath} conformance/kit/planted.ts --bug ${bug}`

test.each([
  ['renumber', 'a lost answer: the same iterations go again, under the same indices'],
  ['end', 'answers that are lost time and again'],
  ['page', "a proxy's page of 200 is no acknowledgement"],
  ['fortran', 'a matrix is read in C order: the last index moves fastest'],
])('%s is found: %s', async (bug, duty) => {
  // The others take their time: these are named in the output when they fail, and not otherwise.
  const { code, output } = await runKit('--driver', planted(bug), '--grep', duty)
  expect(output).toContain(duty)
  expect(output).toMatch(/\d+ passed, [1-9]\d* failed, 0 skipped\s*$/)
  expect(code).toBe(1)
})

test('a driver that lacks everything passes nothing', async () => {
  const { code, output } = await runKit('--driver', planted('empty'))
  expect(output).toContain('no test has passed in which the client writes or reads a draw')
  expect(output).toMatch(/\d+ passed, 0 failed, [1-9]\d* skipped\s*$/)
  expect(code).toBe(1)
})

test('the TypeScript client passes, through faults as well', async () => {
  const driver = `${process.execPath} conformance/drivers/typescript.ts`
  const { code, output } = await runKit('--driver', driver, '--only', 'names', '--faults', '0.5')
  expect(output).toMatch(/[1-9]\d* faults were injected: .*cut/)
  expect(output).toMatch(/[1-9]\d* passed, 0 failed, \d+ skipped\s*$/)
  expect(code).toBe(0)
})
