/**
 * Server-sent events, read from the body of an answer.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
import { deferred } from '../core/deferred.ts'

export interface ServerEvent {
  /** `message` for an event without a name. */
  readonly type: string
  readonly data: string
  /** Absent when the event says nothing of it. */
  readonly id?: string
}

/** Milliseconds of silence after which a connection is taken for dead: a server sends a comment every 15 s. */
const SILENCE_MS = 45_000

/** Events until the answer ends; a comment is one without data. Rejects when the connection breaks or falls silent. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, SILENCE_MS)
      if (done) return
      text += decoder.decode(value, { stream: true })
      const blocks = text.split(/\r?\n\r?\n/)
      text = blocks.pop() ?? ''
      for (const block of blocks) yield parseEvent(block)
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, milliseconds: number) {
  const silence = deferred<never>()
  const timer = setTimeout(() => silence.reject(new Error(`nothing came for ${milliseconds} ms`)), milliseconds)
  try {
    return await Promise.race([reader.read(), silence.promise])
  } finally {
    clearTimeout(timer)
  }
}

function parseEvent(block: string): ServerEvent {
  let type = 'message'
  let id: string | undefined
  const data: string[] = []
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === 'event') type = value
    else if (name === 'data') data.push(value)
    else if (name === 'id') id = value
  }
  return { type, data: data.join('\n'), ...(id === undefined ? {} : { id }) }
}
