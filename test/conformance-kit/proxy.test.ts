/** The kit's proxy hands on what it is not asked to spoil, and the kit's deletions leave nothing behind. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { deleteAll } from '../../conformance/kit/deleting.ts'
import { FailingProxy } from '../../conformance/kit/proxy.ts'

/** A proxy before a server at a path, and the requests that have come to that one. */
async function behindPath() {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.writeHead(request.method === 'PUT' ? 201 : 200, { 'content-length': 5 })
    response.end('hello')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // An address in text is that of a pipe.
  const { port } = server.address() as AddressInfo
  const proxy = await FailingProxy.start(`http://127.0.0.1:${port}/mcb`)
  onTestFinished(async () => {
    await proxy.stop()
    server.close()
    server.closeAllConnections()
  })
  return { proxy, seen }
}

test('the path of the server is kept, and so are names', async () => {
  const { proxy, seen } = await behindPath()
  expect(await (await fetch(`${proxy.url}/v1/runs?q=a%2Bb`)).text()).toBe('hello')
  await fetch(`${proxy.url}/v1/runs/r`, { method: 'PUT' })
  await fetch(`${proxy.url}/v1/runs/r/chains/0`, { method: 'PUT' })
  expect(seen).toEqual(['GET /mcb/v1/runs?q=a%2Bb', 'PUT /mcb/v1/runs/r', 'PUT /mcb/v1/runs/r/chains/0'])
  expect([...proxy.created]).toEqual(['/v1/runs/r'])
})

test('an answer to HEAD tells the length of the body that it does not have', async () => {
  const { proxy } = await behindPath()
  const answer = await fetch(`${proxy.url}/v1/runs`, { method: 'HEAD' })
  expect(answer.headers.get('Content-Length')).toBe('5')
})

test('a busy server is asked to delete again, and one refusal keeps no other from going', async () => {
  const asked: string[] = []
  const statuses: Record<string, number[]> = { '/a': [429, 503, 204], '/b': [403], '/c': [204], '/d': [404] }
  const send = async (path: string) => {
    asked.push(path)
    return new Response(null, { status: statuses[path]?.shift() ?? 500 })
  }
  await expect(deleteAll(Object.keys(statuses), send)).rejects.toThrow(
    /^\/b stays behind: DELETE was answered with 403$/,
  )
  expect(asked).toEqual(['/a', '/a', '/a', '/b', '/c', '/d'])
})
