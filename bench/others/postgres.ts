/** PostgreSQL with its own settings: a row a batch with its bytes as bytea, by a prepared statement with binary arguments. */
import { execFileSync } from 'node:child_process'
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import { Body, eightSchools } from '../lib/model.ts'
import { BATCH_BYTES, CLIENTS, type Contestant, MissingError } from './contestant.ts'
import { Exchange } from './exchange.ts'
import { freePort, postgresFolders, programAt, startProgram, type User, userNamed } from './programs.ts'

const INSTALL = 'install it (Debian: apt-get install postgresql)'
const USER = 'bench'
const TRIES = 100
const TRY_MS = 100
const PROTOCOL = 196_608
const STATEMENT = 'append'
/** Draws hardly compress, and the attempt takes six times as long as all the rest. */
const UNCOMPRESSED = 'ALTER TABLE batches ALTER COLUMN body SET STORAGE EXTERNAL'
const SQL = 'INSERT INTO batches (chain, start, body) VALUES ($1, $2, $3)'
/** Types of the arguments by their number in the catalogue: int4, int8, bytea. */
const TYPES = [23, 20, 17]

export async function openPostgres(folder: string): Promise<Contestant> {
  const path = programAt('postgres', 'MCB_POSTGRES', INSTALL, postgresFolders())
  const initdb = programAt('initdb', 'MCB_INITDB', INSTALL, postgresFolders())
  const user = otherUser()
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'pgdata')
  execFileSync(initdb, ['-D', data, '-U', USER, '-A', 'trust'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...user,
  })
  const port = await freePort()
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '' }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const server = await startProgram(path, args, { port, cwd: folder, user, signal: 'SIGINT' })
  const control = await firstClient(server.url)
  await query(control, 'CREATE TABLE batches (chain int, start bigint, body bytea, PRIMARY KEY (chain, start))')
  await query(control, UNCOMPRESSED)
  const body = Body.ofSize(eightSchools(), BATCH_BYTES)
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const exchange = await openClient(server.url)
      accept(await exchange.send(parse(), message('S')))
      return { exchange, start: 0 }
    }),
  )
  return {
    async batch(at) {
      const client = clients[at]
      if (client === undefined) return
      accept(await client.exchange.send(bindHead(at, client.start, body.bytes.length), body.bytes, BOUND))
      client.start += body.count
    },
    settle: () => query(control, 'CHECKPOINT'),
  }
}

/** PostgreSQL refuses to be root. @throws MissingError where there is nobody else */
function otherUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const user = userNamed('postgres', 'nobody')
  if (user === undefined)
    throw new MissingError('there is no user "postgres" to run PostgreSQL as, which refuses to be root')
  return user
}

/** A server that listens may still be starting, and ends connections then. */
async function firstClient(url: URL): Promise<Exchange> {
  for (let tries = 1; ; tries++) {
    try {
      return await openClient(url)
    } catch (error) {
      if (tries === TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, TRY_MS))
    }
  }
}

async function openClient(url: URL): Promise<Exchange> {
  const exchange = await Exchange.open(url, isReady)
  const text = Buffer.from(`user\0${USER}\0database\0postgres\0\0`)
  accept(await exchange.send(int32(8 + text.length), int32(PROTOCOL), text))
  return exchange
}

async function query(exchange: Exchange, sql: string): Promise<void> {
  accept(await exchange.send(message('Q', Buffer.from(`${sql}\0`))))
}

/** The messages of a reply: a letter each, and a length that counts itself. */
function* messagesIn(received: Buffer): Generator<{ readonly type: string; readonly text: string }> {
  for (let at = 0; at + 5 <= received.length; ) {
    const end = at + 1 + received.readInt32BE(at + 1)
    if (end > received.length) return
    yield { type: String.fromCharCode(received[at] ?? 0), text: received.toString('utf8', at + 5, end) }
    at = end
  }
}

const isReady = (received: Buffer) => [...messagesIn(received)].some(({ type }) => type === 'Z')

function accept(reply: Buffer): void {
  for (const { type, text } of messagesIn(reply)) {
    if (type === 'E') throw new Error(`PostgreSQL: ${text.replaceAll('\0', ' ')}`)
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

/** A message; `more` bytes of it are sent after these parts. */
function message(type: string, content: Uint8Array = Buffer.alloc(0), more = 0): Buffer {
  return Buffer.concat([Buffer.from(type), int32(4 + content.length + more), content])
}

function parse(): Buffer {
  const types = [int16(TYPES.length), ...TYPES.map(int32)]
  return message('P', Buffer.concat([Buffer.from(`${STATEMENT}\0${SQL}\0`), ...types]))
}

/** Binary results of no column end a Bind. */
const BIND_END = int16(0)
/** The end of a Bind, and what carries it out. */
const BOUND = Buffer.concat([BIND_END, message('E', Buffer.concat([Buffer.from('\0'), int32(0)])), message('S')])

/** A Bind up to the bytes of its last argument; all arguments are binary. */
function bindHead(chain: number, start: number, length: number): Buffer {
  const content = [
    Buffer.from(`\0${STATEMENT}\0`),
    int16(1),
    int16(1),
    int16(TYPES.length),
    int32(4),
    int32(chain),
    int32(8),
    int64(start),
    int32(length),
  ]
  return message('B', Buffer.concat(content), length + BIND_END.length)
}
