/** Servers of this process for the command line's tests, and a network in front of one that fails. */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createApp } from '../../src/app.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openThread } from '../support/storage.ts'

export interface TestServer {
  readonly url: string
  close(): Promise<void>
}

/** A server with a SQLite file of its own. */
export async function openServer(limits: Limits = DEFAULT_LIMITS): Promise<TestServer> {
  const storage = await openThread()
  const backend = new StoreBackend(storage.openStore(), limits)
  const server = await listen(createApp({ openBackend: () => backend, readBody: readNodeBody, limits }), '127.0.0.1', 0)
  return {
    url: server.url,
    close: async () => {
      await server.close()
      await storage.close()
    },
  }
}

/**
 * - `refused`: the request does not arrive
 * - `lost`: it is done, and the connection breaks instead of an answer
 * - `cut`: half of the answer arrives
 * - `busy`: answered with 503
 */
export const FAULTS = ['refused', 'lost', 'cut', 'busy'] as const
type Fault = (typeof FAULTS)[number]

/** Passes requests on; every third one of those about draws meets the next of the faults. */
export async function openFaulty(target: string): Promise<TestServer & { readonly met: Fault[] }> {
  const met: Fault[] = []
  const server = await openProxy(target, (number) => {
    const fault = number % 3 === 0 ? FAULTS[met.length % FAULTS.length] : undefined
    if (fault !== undefined) met.push(fault)
    return fault
  })
  return { ...server, met }
}

/** Passes requests on, but of those about draws only the first `most`: it never answers the others, so that work stands still. */
export function openStalling(target: string, most: number): Promise<TestServer> {
  return openProxy(target, (number) => (number > most ? 'silent' : undefined))
}

/** @param faultOf the fault that a request about draws meets, by its number from 1 */
async function openProxy(
  target: string,
  faultOf: (number: number) => Fault | 'silent' | undefined,
): Promise<TestServer> {
  let requests = 0
  const server = createServer((incoming, outgoing) => {
    const fault = incoming.url?.includes('/draws') === true ? faultOf(++requests) : undefined
    if (fault !== 'silent') pass(target, incoming, outgoing, fault)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, close }
}

function pass(target: string, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
  if (fault === 'refused') {
    incoming.socket.destroy()
    return
  }
  if (fault === 'busy') {
    incoming.resume()
    outgoing.writeHead(503, { 'Retry-After': '0' }).end()
    return
  }
  const { method, headers, url = '' } = incoming
  const inner = httpRequest(target + url, { method, headers }, (answer) => {
    const parts: Buffer[] = []
    answer.on('data', (part: Buffer) => parts.push(part))
    answer.once('end', () => {
      const body = Buffer.concat(parts)
      if (fault === 'lost') incoming.socket.destroy()
      else if (fault === 'cut') {
        outgoing.writeHead(answer.statusCode ?? 0, { ...answer.headers, 'content-length': body.length })
        outgoing.write(body.subarray(0, body.length / 2), () => incoming.socket.destroy())
      } else outgoing.writeHead(answer.statusCode ?? 0, answer.headers).end(body)
    })
  })
  incoming.pipe(inner)
}
