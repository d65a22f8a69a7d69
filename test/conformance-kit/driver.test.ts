/** Drivers that fail, each told in words that help its author. */
import { expect, test } from 'vitest'
import { Driver } from '../../conformance/kit/driver.ts'

/** A driver that greets, and answers any other command with what `answer` makes of its line. */
function commandOf(answer: string, rest = ''): string {
  const program = `
    let buffer = ''
    process.stdin.on('data', (chunk) => {
      buffer += chunk
      for (let end; (end = buffer.indexOf('\\n')) >= 0; buffer = buffer.slice(end + 1)) {
        const command = JSON.parse(buffer.slice(0, end))
        const hello = { protocol: 1, client: 'a test', lacks: { str: 'no texts' } }
        if (command.op === 'hello') console.log(JSON.stringify({ id: command.id, ok: hello }))
        else ${answer}
      }
    })
    ${rest}`
  return `'${process.execPath}' -e "$PROGRAM"${''}`.replace('$PROGRAM', program.replace(/["$\\`]/g, '\\$&'))
}

const start = (command: string, patience = 10) => Driver.start({ command, env: {}, patience })
const failing = async (answer: string, patience?: number) => {
  const driver = await start(commandOf(answer), patience)
  const error: unknown = await driver.ask('length', { chain: 0 }).catch((reason: unknown) => reason)
  await driver.stop().catch(() => undefined)
  return error
}

test('a driver is greeted, asked, and ended', async () => {
  const driver = await start(commandOf('console.log(JSON.stringify({ id: command.id, ok: command.chain + 1 }))'))
  expect(driver.greeting.lacks).toEqual(new Map([['str', 'no texts']]))
  expect(await Promise.all([driver.ask('length', { chain: 1 }), driver.ask('length', { chain: 2 })])).toEqual([2, 3])
  expect(driver.isAlive).toBe(true)
  await driver.stop()
})

test('an error keeps its code, its length, and the name of the command', async () => {
  const error = `console.log(JSON.stringify({ id: command.id, error: { code: 'draw_gap', detail: 'far', length: 5 } }))`
  expect(await failing(error)).toMatchObject({
    code: 'draw_gap',
    fields: { length: 5 },
    message: 'length failed with draw_gap: far',
  })
})

test.each([
  ['a line that is no JSON', `console.log('Loading …')`, /no JSON: Loading …\n.*standard error/],
  ['an answer without an id', `console.log('{"ok":1}')`, /without the "id" of a command: {"ok":1}/],
  ['an answer without ok or error', `console.log('{"id":2}')`, /an answer has "ok" or "error": {"id":2}/],
  ['an answer to no command', `console.log('{"id":9,"ok":1}')`, /command 9 that does not wait/],
  ['an error without a code', `console.log('{"id":2,"error":"x"}')`, /an error has a "code".*"error":"x"/],
  ['an end', `(console.error('out of memory'), process.exit(3))`, /exit code 3 during length\nit said:\nout of memory/],
  ['a crash', `process.kill(process.pid, 'SIGABRT')`, /ended with (SIGABRT|exit code 134) during length/],
])('told: %s', async (_what, answer, sentence) => {
  const error = await failing(answer)
  expect(error).toMatchObject({ name: 'ProtocolError', message: expect.stringMatching(sentence) })
})

test('told: an answer that does not come', async () => {
  expect(await failing('{}', 0.5)).toMatchObject({ message: 'length was not answered within 0.5 s' })
})

test('the time of a command begins when those before it are answered', async () => {
  const answer = `{
    const last = globalThis.before ?? Promise.resolve()
    globalThis.before = last.then(() => new Promise((done) => setTimeout(done, 900)))
    globalThis.before.then(() => console.log(JSON.stringify({ id: command.id, ok: command.chain })))
  }`
  const driver = await start(commandOf(answer), 2)
  const chains = [1, 2, 3]
  expect(await Promise.all(chains.map((chain) => driver.ask('length', { chain })))).toEqual(chains)
  await driver.stop()
})

test('told: a command that is not there', async () => {
  await expect(start('no-such-driver-anywhere')).rejects.toThrow(/exit code 127 during hello\nit said:\n.*not found/s)
})

test('told: another protocol', async () => {
  const command = `'${process.execPath}' -e "console.log('{\\"id\\":1,\\"ok\\":{\\"protocol\\":2}}')"`
  await expect(start(command)).rejects.toThrow('the driver speaks protocol 2, and the kit 1')
})

test('told: a driver that ends badly when its input has ended', async () => {
  const driver = await start(
    commandOf('{}', `process.stdin.on('end', () => { console.error('leak'); process.exit(9) })`),
  )
  await expect(driver.stop()).rejects.toThrow(/exit code 9\nit said:\nleak/)
})

test('a line feed alone ends a line', async () => {
  const driver = await start(commandOf('console.log(JSON.stringify({ id: command.id, ok: command.name }))'))
  const name = 'a\u2028b\u0085c\r\n\u2029'
  expect(await driver.ask('getDraws', { name })).toBe(name)
  await driver.stop()
})
