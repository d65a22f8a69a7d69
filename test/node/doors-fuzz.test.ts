/** The same requests as bytes on sockets, with such bytes among them as no client sends that behaves. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withDraws } from '../http/api.ts'
import { headers, targets } from '../http/doors.ts'
import { startServer } from '../support/process.ts'
import { raw } from '../support/raw.ts'

/** Bytes that are put in somewhere. */
const noise = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 2 })

test('anything that comes on a socket to the doors that read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-doors-'))
  const server = await startServer({ MCB_DATA_DIR: folder, MCB_LOG: 'quiet' })
  try {
    await withDraws(server.api, 10)
    await server.api.request('PUT', '/v1/runs/r/chains/1')
    const { host } = new URL(server.url)
    await fc.assert(
      fc.asyncProperty(targets, headers, noise, async (target, sent, bytes) => {
        let line = `GET ${target} HTTP/1.1`
        for (const [at, byte] of bytes) {
          const place = 4 + (at % target.length)
          line = `${line.slice(0, place)}${String.fromCharCode(byte)}${line.slice(place)}`
        }
        const lines = Object.entries(sent).map(([name, text]) => `${name}: ${text}`)
        const text = [line, `Host: ${host}`, 'Connection: close', ...lines, '', ''].join('\r\n')
        const answer = await raw(server.url, text)
        const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
        expect(status, JSON.stringify(text)).toBeGreaterThanOrEqual(200)
        expect(status, JSON.stringify(text)).toBeLessThan(500)
      }),
      { numRuns: 500 },
    )
    const { chains } = JSON.parse(await (await server.api.get('/v1/runs/r/chains')).text())
    expect(chains).toMatchObject([
      { chain: 0, length: 10 },
      { chain: 1, length: 0 },
    ])
    expect(server.output()).not.toMatch(/defect|Error:/)
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
