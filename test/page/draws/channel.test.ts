/** The page's link to its worker of draws, over a channel as a worker has it. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiProblem } from '../../../web/src/api/http.ts'
import { Channel } from '../../../web/src/draws/channel.ts'
import type { End } from '../../../web/src/draws/messages.ts'
import type { Answer, DrawsLink } from '../../../web/src/draws/questions.ts'
import { serve } from '../../../web/src/draws/serve.ts'
import { normal, scalar, World } from './world.ts'

const ports: MessagePort[] = []
afterEach(() => {
  for (const port of ports.splice(0)) port.close()
})

const COLUMNS = [{ name: 'mu', values: (chain: number, draw: number) => normal(chain, draw) }]
const ASK = { scalar: scalar('mu'), choice: { warmup: 'exclude' }, points: 100 } as const

function endOf<Sent, Received>(port: MessagePort): End<Sent, Received> {
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    addEventListener: (type, listener) => port.on(type, (data: Received) => listener({ data })),
  }
}

async function opened(): Promise<{ world: World; link: DrawsLink; channel: Channel }> {
  const world = new World(COLUMNS)
  await world.register()
  for (const chain of [0, 1]) await world.sample(chain, 100)
  const { port1, port2 } = new MessageChannel()
  ports.push(port1, port2)
  serve(endOf(port1), world.engine)
  const channel = new Channel(endOf(port2))
  const link = channel.open(world.opened)
  link.grow(world.lengths)
  return { world, link, channel }
}

describe('the link', () => {
  it('hands questions over, and brings answers back', async () => {
    const { world, link } = await opened()
    expect(await link.ask('density', ASK)).toEqual(await world.open().ask('density', ASK))
  })

  it('asks once what is asked twice', async () => {
    const { link } = await opened()
    const [one, two] = await Promise.all([link.ask('density', ASK), link.ask('density', ASK)])
    expect(one).toBe(two)
    expect(await link.ask('density', ASK)).not.toBe(one)
  })

  it('ends a question that nobody waits for, and goes on with one that somebody does', async () => {
    const { world, link } = await opened()
    const [first, second] = [new AbortController(), new AbortController()]
    const asked = [first, second].map(({ signal }) => link.ask('density', ASK, signal))
    first.abort()
    await expect(asked[0]).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    const answer: Answer<'density'> | undefined = await asked[1]
    expect(answer?.chains).toHaveLength(2)
    const before = world.requests.length
    second.abort()
    await expect(link.ask('density', ASK, second.signal)).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    )
    expect(world.requests).toHaveLength(before)
  })

  it('tells refusals of the server with their codes', async () => {
    const { world, link } = await opened()
    await world.call('DELETE', '/v1/runs/r')
    await world.register()
    await world.call('PUT', '/v1/runs/r/chains/0')
    const refused = await link.ask('density', ASK).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ApiProblem)
    expect(refused).toHaveProperty('code', 'run_replaced')
  })

  it('tells why a run cannot be opened, and that one is closed, and serves the others', async () => {
    const { world, link, channel } = await opened()
    const [column] = world.opened.columns
    const twice = channel.open({ ...world.opened, columns: column === undefined ? [] : [column, column] })
    await expect(twice.ask('density', ASK)).rejects.toThrow('two variables are named "mu"')
    const closed = channel.open(world.opened)
    closed.close()
    await expect(closed.ask('density', ASK)).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    expect((await link.ask('density', ASK)).chains).toHaveLength(2)
  })

  it('ends what is waiting where there is no worker', async () => {
    const { port2 } = new MessageChannel()
    ports.push(port2)
    const link = new Channel(endOf(port2))
    const run = link.open({ rid: 'r', registration: 'x', columns: [] })
    const asked = run.ask('density', ASK)
    link.fail()
    await expect(asked).rejects.toThrow('load the page again')
    await expect(run.ask('density', ASK)).rejects.toThrow('load the page again')
  })
})
