/** The cost of keys: two servers that differ in nothing else, in turns; and that of a guess against a valid request. */
import { newKey } from '../../src/access/key-format.ts'
import { atLeast, atMost, type Figure, newRid, type Scale } from './figures.ts'
import { compare, pairedRatio, rate } from './measure.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import { cpuMs, type Started } from './server.ts'
import { Connection, expectStatus, requestHead } from './wire.ts'

export const OPERATOR = 'the-operator-of-the-benchmark'
const CHAINS = 4

export async function keysFigures(open: Started, keyed: Started, scale: Scale): Promise<Figure[]> {
  const key = await newWriteKey(keyed)
  // The difference is small against what a disk does from turn to turn, so there are many short ones.
  const turns = { rounds: scale.rounds * 8, seconds: scale.seconds / 4 }
  return [await appendFigure(open, keyed, key, turns), await guessFigure(keyed, key, turns)]
}

async function newWriteKey({ url }: Started): Promise<string> {
  const headers = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
  const post = (path: string, body: object) =>
    fetch(new URL(path, url), { method: 'POST', headers, body: JSON.stringify(body) })
  await post('/v1/tenants', { tenant: 'bench', limits: { requestsPerMinute: 1e9, storedBytes: 1e15, runs: 1e9 } })
  const made: unknown = await (await post('/v1/tenants/bench/keys', { name: 'bench', scopes: ['write'] })).json()
  if (typeof made === 'object' && made !== null && 'key' in made && typeof made.key === 'string') return made.key
  throw new Error('the server has made no key')
}

interface Turns {
  readonly rounds: number
  readonly seconds: number
}

async function writersTo(server: Started, key: string | undefined): Promise<Writer[]> {
  const model = eightSchools()
  const rid = newRid()
  const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
  for (const connection of connections) connection.token = key
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, CHAINS)
  return connections.map((connection, chain) => new Writer(connection, rid, chain, Body.ofSize(model, 1024)))
}

/** With all limits set, so that their checks are in it. */
async function appendFigure(open: Started, keyed: Started, key: string, { rounds, seconds }: Turns): Promise<Figure> {
  const without = await writersTo(open, undefined)
  const withKeys = await writersTo(keyed, key)
  const served = { open: new Served(open), keyed: new Served(keyed) }
  const turn = async (of: Served, writers: Writer[]) =>
    of.count(await rate(CHAINS, seconds, async (worker) => writers[worker]?.append()), seconds)
  const ratio = await pairedRatio(
    rounds,
    () => turn(served.keyed, withKeys),
    () => turn(served.open, without),
  )
  const cpu = `server CPU ${served.keyed.cpuEach()} / ${served.open.cpuEach()} us an append`
  const detail = `${served.keyed.perSecond()}/s with a key and all limits, ${served.open.perSecond()}/s without; ${cpu}`
  return atLeast('append 1 KiB, 4 chains: keys / no keys', ratio, 0.95, detail)
}

/** Requests of a server in all its turns, and the CPU time that it took. */
class Served {
  private readonly pid: number
  private readonly begun: number
  private appends = 0
  private seconds = 0

  constructor({ pid }: Started) {
    this.pid = pid
    this.begun = cpuMs(pid)
  }

  count(perSecond: number, seconds: number): number {
    this.appends += perSecond * seconds
    this.seconds += seconds
    return perSecond
  }

  perSecond(): string {
    return (this.appends / this.seconds).toFixed(0)
  }

  cpuEach(): string {
    return (((cpuMs(this.pid) - this.begun) * 1000) / this.appends).toFixed(0)
  }
}

async function guessFigure(server: Started, key: string, { rounds, seconds }: Turns): Promise<Figure> {
  const connection = await Connection.open(server.url)
  connection.token = key
  const rid = newRid()
  await createRun(connection, rid, eightSchools(), 1)
  const path = `/v1/runs/${rid}`
  const valid = requestHead('GET', path, 0, key)
  // Well formed, with ids that the server has not made; made beforehand, so that making them is not measured.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const id = () => Array.from({ length: 18 }, () => letters[Math.floor(Math.random() * letters.length)]).join('')
  const guesses = Array.from({ length: 2000 }, () => requestHead('GET', path, 0, newKey(id())))
  let next = 0
  const [asked, guessed] = await compare(
    rounds,
    () => rate(1, seconds, async () => void (await expectStatus(connection.send(valid), 200))),
    () =>
      rate(1, seconds, async () => {
        const guess = guesses[next++ % guesses.length] ?? valid
        await expectStatus(connection.send(guess), 401)
      }),
  )
  connection.close()
  const us = (perSecond: number) => `${(1e6 / perSecond).toFixed(0)} us`
  return atMost('a guess / a valid request', asked / guessed, 1, 'ratio', `${us(guessed)} / ${us(asked)}`)
}
