/** Redis with `appendfsync always`: a list a chain, to whose end each batch goes. */

import { Body, eightSchools } from '../lib/model.ts'
import { BATCH_BYTES, CLIENTS, type Contestant } from './contestant.ts'
import { Exchange } from './exchange.ts'
import { freePort, programAt, startProgram } from './programs.ts'

const INSTALL = 'install it (Debian: apt-get install redis-server)'
const END = Buffer.from('\r\n')

export async function openRedis(folder: string): Promise<Contestant> {
  const path = programAt('redis-server', 'MCB_REDIS_SERVER', INSTALL)
  const port = await freePort()
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'yes', appendfsync: 'always' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const server = await startProgram(path, args, { port, cwd: folder })
  const { bytes } = Body.ofSize(eightSchools(), BATCH_BYTES)
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const exchange = await Exchange.open(server.url, (received) => received.subarray(-END.length).equals(END))
      return {
        exchange,
        head: Buffer.concat([command(3, 'RPUSH', `chain-${client}`), Buffer.from(`$${bytes.length}\r\n`)]),
      }
    }),
  )
  const [first] = clients
  return {
    async batch(at) {
      const client = clients[at]
      if (client !== undefined) accept(await client.exchange.send(client.head, bytes, END))
    },
    /** Its memory holds all that it stores, so that a turn ends with an empty store. */
    async settle() {
      if (first !== undefined) accept(await first.exchange.send(command(1, 'FLUSHALL')))
    },
  }
}

/** The beginning of a command with so many arguments, of which these are the first. */
function command(count: number, ...args: readonly string[]): Buffer {
  return Buffer.from(`*${count}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`)
}

function accept(reply: Buffer): void {
  if (reply[0] === '-'.charCodeAt(0)) throw new Error(`Redis: ${reply}`)
}
