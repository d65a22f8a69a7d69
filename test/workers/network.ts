/** Bodies of requests as they come over a network. */

/** A global of workerd: a stream whose bytes may be read into memory of the reader's. */
declare const IdentityTransformStream: new () => TransformStream<Uint8Array, Uint8Array>

/** A stream as the runtime hands on what it receives. */
export function received(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return stream.pipeThrough(new IdentityTransformStream())
}

/** A body whose pieces are sent one by one; each is taken when `send` resolves. */
export function steps() {
  const { readable, writable } = new IdentityTransformStream()
  const writer = writable.getWriter()
  const ignore = () => undefined
  return {
    body: readable,
    send: (piece: Uint8Array) => writer.write(piece).catch(ignore),
    end: () => writer.close().catch(ignore),
    breakOff: () => writer.abort(new Error('the client is gone')).catch(ignore),
  }
}
