/** Requests and answers on workerd: code that they need only there. */

/** A stream of exactly `length` bytes: workerd sends Content-Length for no other. It is a global of workerd. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>

interface WorkersResponseInit extends ResponseInit {
  /** `manual`: the body is encoded already, as Content-Encoding says. Otherwise workerd encodes it once more. */
  readonly encodeBody: 'automatic' | 'manual'
}

/** Gives a request its client's own Accept-Encoding back, which Cloudflare's proxies replace. */
export function withClientEncoding(request: Request): Request {
  const encoding = clientEncoding(request)
  if (encoding === undefined || encoding === request.headers.get('Accept-Encoding')) return request
  const headers = new Headers(request.headers)
  headers.set('Accept-Encoding', encoding)
  return new Request(request, { headers })
}

function clientEncoding(request: object): string | undefined {
  if (!('cf' in request) || typeof request.cf !== 'object' || request.cf === null) return undefined
  const { cf } = request
  return 'clientAcceptEncoding' in cf && typeof cf.clientAcceptEncoding === 'string'
    ? cf.clientAcceptEncoding
    : undefined
}

/** `report` learns why an answer broke off in the middle, unless its client went away. */
export function toWorkersResponse(response: Response, report: (error: unknown) => void): Response {
  const { body, status, headers } = response
  if (body === null) return response
  if (headers.has('Content-Encoding')) {
    const init: WorkersResponseInit = { status, headers, encodeBody: 'manual' }
    return new Response(body, init)
  }
  const length = headers.get('Content-Length')
  if (length === null) return response
  const fixed = new FixedLengthStream(Number(length))
  pump(body, fixed.writable, report).catch(report)
  return new Response(fixed.readable, { status, headers })
}

/** As `pipeTo`, but knows which end failed: a source that does aborts the connection, a client that does ends the source. */
async function pump(
  source: ReadableStream<Uint8Array>,
  sink: WritableStream<Uint8Array>,
  report: (error: unknown) => void,
): Promise<void> {
  const reader = source.getReader()
  const writer = sink.getWriter()
  for (;;) {
    const next = await reader.read().catch(async (error: unknown) => {
      report(error)
      await writer.abort(error)
    })
    if (next === undefined) return
    if (next.done) break
    const failed = await writer.write(next.value).then(
      () => false,
      () => true,
    )
    if (failed) return reader.cancel()
  }
  await writer.close()
}
