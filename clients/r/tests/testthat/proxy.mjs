/** A proxy that fails, for tests. Usage: node proxy.mjs URL FAULTS, where FAULTS are one a request, or a share of all. */
import { createServer, request } from 'node:http'

const PAGE = '<!doctype html><title>Sign in</title>'

/**
 * - `refuse`: the connection breaks before the server has the request
 * - `cut`: the server has done its work, and the answer is lost
 * - `half`: half the answer comes
 * - `short`: half the answer comes, and looks whole
 * - `page`, `gone`: a page of somebody else's, with status 200 and 404
 * - `busy`: 503 with Retry-After
 * - `true`: an answer of JSON that is none of the server; only where it is named, as the next ones
 * - `other`: the answer is about the next chain
 * - `under=N`: 413 for a body of N bytes or more
 * - `hang`: nothing ever answers
 */
const FAULTS = ['refuse', 'cut', 'half', 'short', 'page', 'gone', 'busy']

const [target = '', given = ''] = process.argv.slice(2)
const share = Number(given)
const plan = given.split(',')

function nextFault() {
  if (Number.isNaN(share)) return plan.shift()
  return Math.random() < share ? FAULTS[Math.floor(Math.random() * FAULTS.length)] : undefined
}

function forward(incoming, body) {
  const { promise, resolve, reject } = Promise.withResolvers()
  const { method, url, headers } = incoming
  const outgoing = request(target + url, { method, headers }, async (answer) => {
    resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(await answer.toArray()) })
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

async function serve(incoming, response) {
  const fault = nextFault()
  const body = Buffer.concat(await incoming.toArray())
  if (fault === 'hang') return
  if (fault === 'refuse') return response.destroy()
  if (fault === 'page' || fault === 'gone') {
    return response.writeHead(fault === 'page' ? 200 : 404, { 'Content-Type': 'text/html' }).end(PAGE)
  }
  if (fault === 'true') return response.writeHead(200, { 'Content-Type': 'application/json' }).end('true')
  if (fault?.startsWith('under=') && body.length >= Number(fault.slice(6))) return response.writeHead(413).end()
  if (fault === 'busy') return response.writeHead(503, { 'Retry-After': '0' }).end('busy')
  const answer = await forward(incoming, body)
  if (fault === 'other') {
    const told = JSON.parse(answer.body.toString())
    answer.body = Buffer.from(JSON.stringify({ ...told, chain: told.chain + 1 }))
  }
  if (fault === 'cut') return response.destroy()
  const { 'transfer-encoding': _, ...headers } = answer.headers
  const half = answer.body.subarray(0, Math.floor(answer.body.length / 2))
  if (fault === 'short')
    return response.writeHead(answer.status, { ...headers, 'content-length': half.length }).end(half)
  response.writeHead(answer.status, { ...headers, 'content-length': answer.body.length })
  if (fault !== 'half' || half.length === 0) return response.end(answer.body)
  response.write(half, () => response.destroy())
}

const server = createServer((incoming, response) => {
  serve(incoming, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
