/** Answers to bytes that are no request for the application: malformed HTTP, headers without end, no address. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { RequestError } from '@hono/node-server'
import { McbError } from '../core/errors.ts'
import { describeError } from '../core/log-text.ts'
import { strayProblem } from '../http/problem.ts'

/** Bytes of a request's headers, its address among them: the names of some thousand variables. */
export const MAX_HEADER_BYTES = 256 * 1024

/** The answer to a request whose address is none. */
export function refuse(error: unknown, refused: (error: McbError) => void): Response {
  if (error instanceof RequestError) {
    const problem = new McbError('invalid_parameter', error.message)
    refused(problem)
    return strayProblem(problem)
  }
  console.error(`${new Date().toISOString()} error - ${describeError(error)}`)
  return strayProblem(new McbError('internal_error', 'the server has met a defect; its log tells more'))
}

/** The answer to CONNECT. */
export function noTunnel(): McbError {
  return new McbError('invalid_parameter', 'CONNECT asks for a tunnel, and this server is no proxy')
}

/** An answer as it goes over the wire, where Node has none that could be written to. */
export async function onTheWire(error: McbError): Promise<string> {
  const { status, headers, body } = await stray(error)
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`
}

/** The defect in the head of a request that Node's parser lets through (RFC 9112, section 3.2). */
export function defectOf({ httpVersion, rawHeaders }: IncomingMessage): McbError | undefined {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  if (hosts > 1) return new McbError('invalid_parameter', 'the request has more than one Host header')
  // Probes of load balancers speak HTTP/1.0, and name no host.
  if (hosts === 0 && httpVersion === '1.1') {
    return new McbError('invalid_parameter', 'the request has no Host header, which HTTP/1.1 demands')
  }
  return undefined
}

export function unexpected({ headers }: IncomingMessage): McbError {
  const detail = `"Expect: ${headers.expect}" cannot be met; 100-continue is all that is known`
  return new McbError('invalid_parameter', detail, { status: 417 })
}

/** Answers a request that the application is not to see, and ends its connection. */
export async function refuseBefore(response: ServerResponse, error: McbError): Promise<void> {
  const { status, headers, body } = await stray(error)
  response.writeHead(status, headers.flat())
  response.end(body)
}

interface Stray {
  readonly status: number
  readonly headers: readonly [string, string][]
  readonly body: string
}

async function stray(error: McbError): Promise<Stray> {
  const response = strayProblem(error)
  const body = await response.text()
  const length = String(Buffer.byteLength(body))
  return {
    status: response.status,
    headers: [...response.headers, ['connection', 'close'], ['content-length', length]],
    body,
  }
}

/** The answer to bytes that Node's parser refuses with this error. */
export function malformed({ code, message }: NodeJS.ErrnoException): McbError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new McbError('invalid_parameter', `the address and headers exceed ${MAX_HEADER_BYTES} bytes`, {
        status: 431,
        limit: MAX_HEADER_BYTES,
      })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new McbError('invalid_parameter', 'the request did not come whole in time', { status: 408 })
    default:
      return new McbError('invalid_parameter', `this is no HTTP request: ${message}`)
  }
}
