/** `mcb runs export` of netCDF files, also when connections break. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { downloadNetcdf } from '../../src/cli/archive/netcdf-file.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { openServer, type TestServer } from './served.ts'

let folder: string
let server: TestServer
let between: Server | undefined
beforeEach(async () => {
  folder = newFolder()
  server = await openServer()
  const backend = new HttpBackend({ url: server.url })
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64', shape: [1000] }] })
  const chain = await run.initChain(0)
  const x = { dtype: 'float64', shape: [200, 1000], data: Float64Array.from({ length: 200_000 }, (_, i) => i) } as const
  await chain.appendBatch({ count: 200, draws: new Map([['x', x]]), stats: new Map() })
  await chain.flush()
})
afterEach(async () => {
  between?.close()
  between = undefined
  await server.close()
  removeFolder(folder)
})

const told = { rid: 'r', tell: () => undefined }
const whole = async () => new Uint8Array(await (await fetch(`${server.url}/v1/runs/r/data.nc`)).arrayBuffer())

/** A server that passes so many bytes of each of the first answers on, and then breaks the connection. */
async function breaking(times: number, most: number): Promise<{ url: string; paths: string[] }> {
  const paths: string[] = []
  between = createServer(async (incoming, outgoing) => {
    paths.push(incoming.url ?? '')
    const { range, 'if-range': condition } = incoming.headers
    const headers = { ...(range && { Range: range }), ...(condition && { 'If-Range': String(condition) }) }
    const answer = await fetch(`${server.url}${incoming.url}`, { headers })
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers))
    const bytes = new Uint8Array(await answer.arrayBuffer())
    if (paths.length > times) outgoing.end(bytes)
    else outgoing.write(bytes.subarray(0, most), () => setTimeout(() => outgoing.destroy(), 50))
  })
  await new Promise<void>((resolve) => between?.listen(0, '127.0.0.1', resolve))
  const { port } = between.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, paths }
}

test('a file is the one of the server', async () => {
  const path = join(folder, 'r.nc')
  const { bytes } = await downloadNetcdf(path, { ...told, profile: { url: server.url, token: '' } })
  expect(bytes).toBeGreaterThan(1_600_000)
  expect(new Uint8Array(readFileSync(path))).toEqual(await whole())
  expect(existsSync(`${path}.part`)).toBe(false)
})

test('a download goes on where it broke off, at the address where the bytes stay', async () => {
  const { url, paths } = await breaking(3, 400_000)
  const path = join(folder, 'r.nc')
  const { resumed } = await downloadNetcdf(path, { ...told, profile: { url, token: '' } })
  expect(resumed).toBe(3)
  expect(paths).toEqual(['/v1/runs/r/data.nc', ...Array(3).fill('/v1/runs/r/at/0:200/data.nc')])
  expect(new Uint8Array(readFileSync(path))).toEqual(await whole())
})

test('what fails leaves the file that is there as it was', async () => {
  const path = join(folder, 'r.nc')
  writeFileSync(path, 'mine')
  const profile = { url: server.url, token: '' }
  await expect(downloadNetcdf(path, { ...told, rid: 'none', profile })).rejects.toThrow(/no run "none"/)
  const { url } = await breaking(Number.POSITIVE_INFINITY, 0)
  await expect(downloadNetcdf(path, { ...told, profile: { url, token: '' } })).rejects.toThrow(/broke off/)
  expect(readFileSync(path, 'utf8')).toBe('mine')
  expect(existsSync(`${path}.part`)).toBe(false)
})
