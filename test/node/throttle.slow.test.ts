/** Unknown keys at the Node entry: counted by the address of the connection, or by the one that trusted proxies tell. */
import { expect, test } from 'vitest'
import { runServer, type ServerProcess, startServer } from '../support/process.ts'

const OPERATOR = 'operator-token-of-the-node-tests-7f3a'

async function serving(trust: string | undefined, use: (server: ServerProcess) => Promise<void>): Promise<void> {
  const server = await startServer({
    MCB_STORAGE: 'memory',
    MCB_AUTH: 'keys',
    MCB_LOG: 'quiet',
    MCB_OPERATOR_TOKEN: OPERATOR,
    ...(trust !== undefined && { MCB_TRUST_PROXY: trust }),
  })
  try {
    await use(server)
  } finally {
    await server.stop('SIGKILL')
  }
}

/** The statuses of more failures than a minute holds; `forwarded` gives what each says of where it comes from. */
async function failures({ api }: ServerProcess, forwarded: (i: number) => string): Promise<number> {
  let refused = 0
  for (let i = 0; i < 150; i++) {
    const { status } = await api.get('/v1/runs', { Authorization: `Bearer wrong${i}`, 'X-Forwarded-For': forwarded(i) })
    if (status === 429) refused++
  }
  return refused
}

test('X-Forwarded-For of anybody is not believed', () =>
  serving(undefined, async (server) => {
    expect(await failures(server, (i) => `198.51.100.${i}`)).toBeGreaterThan(40)
    const known = await server.api.get('/v1/tenants', { Authorization: `Bearer ${OPERATOR}` })
    expect(known.status).toBe(200)
    const basic = await server.api.get('/v1/tenants', { Authorization: `Basic ${btoa(`any:${OPERATOR}`)}` })
    expect(basic.status).toBe(200)
  }))

test.each([
  // All that stands left of the last address was sent by the guesser.
  ['1', (i: number) => `10.9.${i}.1, 198.51.100.7`, 'one'],
  ['1', (i: number) => `198.51.100.${i}`, 'many'],
  ['2', (i: number) => `10.9.${i}.1, 198.51.100.7, 10.0.0.1`, 'one'],
  ['2', (i: number) => `198.51.100.${i}, 10.0.0.1`, 'many'],
  ['127.0.0.1', (i: number) => `10.9.${i}.1,198.51.100.7`, 'one'],
  ['127.0.0.1, 10.0.0.0/8', (i: number) => `198.51.100.7, 10.0.0.${i}`, 'one'],
  ['127.0.0.0/8,10.0.0.0/8', (i: number) => `198.51.100.${i}:4711, 10.0.0.1`, 'many'],
  ['127.0.0.1,fd00::/8', (i: number) => `2001:db8::${i}, [fd00::1]:9`, 'one'],
  ['::1,10.0.0.0/8', (i: number) => `198.51.100.${i}`, 'one'],
  ['127.0.0.1', (i: number) => `198.51.100.${i}, unknown`, 'one'],
])('MCB_TRUST_PROXY=%s, %s: %s', (trust, forwarded, places) =>
  serving(trust, async (server) => {
    const refused = await failures(server, forwarded)
    if (places === 'one') expect(refused).toBeGreaterThan(40)
    else expect(refused).toBe(0)
  }),
)

test.each(['yes', 'true', '0', '127.0.0.1/33', '10.0.0.0/', '127.0.0.1,,', '::/x', '-1'])(
  'MCB_TRUST_PROXY=%s is refused in a sentence',
  async (trust) => {
    const { code, output } = await runServer({ MCB_STORAGE: 'memory', MCB_TRUST_PROXY: trust })
    expect([code, output.trim().split('\n')]).toEqual([1, [expect.stringContaining('MCB_TRUST_PROXY')]])
  },
)
