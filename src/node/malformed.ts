/** Answers to what is no request that the application could see: malformed HTTP, headers without end, no address. */
import { STATUS_CODES } from 'node:http'
import { RequestError } from '@hono/node-server'
import { McbError } from '../core/errors.ts'
import { describeError } from '../core/log-text.ts'
import { strayProblem } from '../routes/problem.ts'

/** Bytes of a request's headers, its address among them: the names of some thousand variables. */
export const MAX_HEADER_BYTES = 256 * 1024

/** Of a request whose address is none. */
export function refuse(error: unknown): Response {
  if (error instanceof RequestError) return strayProblem(new McbError('invalid_parameter', error.message))
  console.error(`${new Date().toISOString()} error - ${describeError(error)}`)
  return strayProblem(new McbError('internal_error', 'the server has met a defect; its log tells more'))
}

/** Of bytes that Node's parser refuses with this error, as it goes over the wire. */
export async function malformed({ code, message }: NodeJS.ErrnoException): Promise<string> {
  const response = strayProblem(problemOf(code, message))
  const body = await response.text()
  const lines = [...response.headers, ['connection', 'close'], ['content-length', String(Buffer.byteLength(body))]]
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status]}\r\n${head}\r\n${body}`
}

function problemOf(code: string | undefined, message: string): McbError {
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
