/**
 * Requests and whole answers on Node's own HTTP. `fetch` copies a body twice on its way, and leaves all that to the collector,
 * which sees small objects and not the memory behind them: a GiB in pages took 200 MiB and more.
 */
import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { WholeAnswer } from '../../client/problem.ts'
import type { Outgoing, TakeAnswer } from '../../client/transport.ts'
import { free } from '../../core/free.ts'

/** Bytes of an answer that are taken where its head does not say their number: for the first piece. */
const FIRST_BYTES = 64 * 1024

/** @param most bytes of an answer: a larger one is given up, as 413, before it is taken */
export function overNodeHttp(most: number = Number.POSITIVE_INFINITY): TakeAnswer {
  return (outgoing) =>
    new Promise((resolve, reject) => {
      const sent = opened(outgoing)
      sent.once('error', reject)
      sent.once('response', (incoming: IncomingMessage) => {
        incoming.once('error', reject)
        const announced = Number(incoming.headers['content-length'] ?? FIRST_BYTES)
        if (announced > most) {
          sent.destroy()
          resolve({ status: 413, headers: new Headers(), bytes: new Uint8Array() })
        } else take(incoming, announced, (answer) => whenSent(sent, () => resolve(answer)))
      })
      sent.end(outgoing.body)
    })
}

/** Calls back when nothing of the body is needed any more: an answer may come before all of it was sent, which then never is. */
function whenSent(sent: ClientRequest, done: () => void): void {
  if (sent.writableFinished) done()
  else sent.once('close', done).destroy()
}

function opened({ url, method, headers, body, signal }: Outgoing) {
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const options = { method, headers: { ...headers, ...length }, signal }
  return url.startsWith('https:') ? overHttps(url, options) : overHttp(url, options)
}

/** Gathers an answer in one piece of memory, and frees the pieces in which it comes. */
function take(incoming: IncomingMessage, announced: number, resolve: (answer: WholeAnswer) => void): void {
  let bytes = new Uint8Array(announced)
  let length = 0
  incoming.on('data', (chunk: Buffer) => {
    if (length + chunk.length > bytes.length) bytes = grown(bytes, length + chunk.length)
    bytes.set(chunk, length)
    length += chunk.length
    free(chunk)
  })
  incoming.once('end', () => {
    const whole = length === bytes.length ? bytes : bytes.slice(0, length)
    resolve({ status: incoming.statusCode ?? 0, headers: headersOf(incoming), bytes: whole })
  })
}

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.buffer.transfer(Math.max(least, bytes.length * 2)))
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return headers
}

/** Frees a page, whatever part of its buffer it is: nobody may look at it again. */
export function freePage({ buffer }: Uint8Array<ArrayBuffer>): void {
  if (!buffer.detached) buffer.transfer(0)
}
