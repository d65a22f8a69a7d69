/**
 * The log: one line an entry, in one of two forms.
 *
 * - For people: a line of audit is JSON and begins with `{"audit":`; any other begins with the time, and its second word is
 *   `error`, `server`, `refused`, or the method of a request.
 * - For programs: JSON, in which `kind` is `audit`, `error`, `server`, `refused` or `request`.
 *
 * Nothing of a request can make a line, or one of another kind: its text stays on its line, behind those words.
 */
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import type { MiddlewareHandler } from 'hono'
import { pino, stdTimeFunctions } from 'pino'
import { LOCAL_TENANT } from '../access/records.ts'
import type { McbError } from '../core/errors.ts'
import { describeError, loggable, oneLine } from '../core/log-text.ts'
import { percentDecoded, withoutKeys } from '../core/redaction.ts'
import type { AuditEntry } from '../http/audit.ts'
import type { AppContext, AppEnv, Caller } from '../http/context.ts'
import { type LineKind, LogWriter } from './log-writer.ts'
import { type Messages, messagesIn } from './messages.ts'

export const LOG_FORMS = ['requests', 'json', 'quiet'] as const
export type LogForm = (typeof LOG_FORMS)[number]

interface RequestEntry {
  readonly kind: 'request'
  readonly method: string
  /** Target as it was sent, but without keys. */
  readonly target: string
  readonly status: number
  /** Milliseconds until the answer had left. */
  readonly ms: number
  /** Bytes of the two bodies as they crossed the wire. */
  readonly received: number
  readonly sent: number
  /** Name of the tenant; null where none is known. */
  readonly tenant: string | null
  /** The id of the key. */
  readonly key: string | null
  /** True when the connection ended before the answer did. */
  readonly cut: boolean
  readonly requestId: string
}

type Entry =
  | RequestEntry
  | { readonly kind: 'refused'; readonly status: number; readonly error: string }
  | { readonly kind: 'audit'; readonly audit: AuditEntry }
  | { readonly kind: 'error'; readonly requestId: string; readonly error: string }
  | { readonly kind: 'server'; readonly message: string }

export interface LogOptions {
  readonly form: LogForm
  /** Texts that may stand nowhere in the log, such as the operator's token. */
  readonly secrets: readonly string[]
}

export class Log {
  /** Is told of answers that were given without the application, as to bytes that are no request. */
  readonly refused: (error: McbError) => void
  /** Sees every request; absent where requests are not logged. */
  readonly observe: MiddlewareHandler<AppEnv> | undefined
  private readonly secrets: readonly string[]
  private readonly writer: LogWriter
  private readonly put: (entry: Entry) => void

  constructor({ form, secrets }: LogOptions) {
    this.secrets = secrets
    this.writer = new LogWriter(({ request, other }) =>
      this.say(`left out of the log, which nobody took fast enough: ${request} requests, ${other} other lines`),
    )
    this.put = form === 'json' ? jsonLines(this.writer) : textLines(this.writer)
    this.refused = form === 'quiet' ? () => {} : this.putRefusal
    this.observe = form === 'quiet' ? undefined : this.observeRequest
  }

  audit(entry: AuditEntry): void {
    this.put({ kind: 'audit', audit: entry })
  }

  report(requestId: string, error: unknown): void {
    this.put({ kind: 'error', requestId: this.clean(requestId), error: this.withoutSecrets(describeError(error)) })
  }

  /** A line of the server about itself. */
  say(message: string): void {
    this.put({ kind: 'server', message })
    this.writer.flush()
  }

  /** Lets output of libraries go the same way: it may repeat words of a request, and wait for a reader. */
  takeConsole(): void {
    const write = (chunk: unknown, _encoding: BufferEncoding, done: () => void) => {
      this.say(this.clean(String(chunk).trimEnd()))
      done()
    }
    globalThis.console = new Console(new Writable({ write, decodeStrings: false }))
  }

  /** Writes the rest, as far as a reader takes it. */
  end(): Promise<void> {
    return this.writer.end()
  }

  private readonly putRefusal = ({ status, message }: McbError) => {
    this.put({ kind: 'refused', status, error: this.clean(message) })
  }

  private readonly observeRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
    const begun = performance.now()
    const messages = messagesIn(c.env)
    const answered = messages && (() => this.put(this.requestEntry(c, messages, begun)))
    const wentAway = messages?.response.closed
    if (answered && !wentAway) messages.response.once('close', answered)
    await next()
    if (answered && wentAway) answered()
  }

  private requestEntry(c: AppContext, { request, response }: Messages, begun: number): RequestEntry {
    // A request that was refused before it was looked at has no caller.
    const caller: Caller | undefined = c.get('caller')
    return {
      kind: 'request',
      method: request.method ?? '',
      target: this.clean(request.url ?? ''),
      status: response.statusCode,
      ms: Math.round((performance.now() - begun) * 10) / 10,
      received: request.received,
      sent: response.sent,
      tenant: caller?.kind === 'key' ? caller.tenant.name : caller?.kind === 'anyone' ? LOCAL_TENANT : null,
      key: caller?.kind === 'key' ? caller.key.id : null,
      cut: !response.writableFinished,
      requestId: this.clean(c.get('requestId')),
    }
  }

  private clean(text: string): string {
    return this.withoutSecrets(loggable(text))
  }

  private withoutSecrets(text: string): string {
    for (const secret of this.secrets) {
      if (text.length >= secret.length && percentDecoded(text).toLowerCase().includes(secret.toLowerCase())) return '…'
    }
    return text
  }
}

const OPTIONS = {
  base: null,
  timestamp: stdTimeFunctions.isoTime,
  formatters: { level: (level: string) => ({ level }) },
}

function jsonLines(writer: LogWriter): (entry: Entry) => void {
  let kind: Entry['kind'] = 'server'
  const logger = pino(OPTIONS, {
    write: (line) => writer.write(`${cleanLine(line.trimEnd(), kind)}\n`, lineKind(kind)),
  })
  return (entry) => {
    kind = entry.kind
    if (kind === 'error') logger.error(entry)
    else logger.info(entry)
  }
}

function textLines(writer: LogWriter): (entry: Entry) => void {
  return (entry) => writer.write(`${cleanLine(textOf(entry), entry.kind)}\n`, lineKind(entry.kind))
}

function textOf(entry: Entry): string {
  const time = new Date().toISOString()
  switch (entry.kind) {
    case 'request': {
      const { method, target, status, ms, received, sent, tenant, key, cut, requestId } = entry
      const who = key === null ? `tenant=${tenant ?? '-'}` : `tenant=${tenant} key=${key}`
      // Node's parser takes no space in a target; a reader of the log can rely on it.
      const place = target.replaceAll(' ', '\\u0020')
      return `${time} ${method} ${place} ${status} ${ms.toFixed(1)}ms in=${received} out=${sent} ${who}${cut ? ' cut' : ''} id=${requestId}`
    }
    case 'audit':
      return JSON.stringify({ audit: entry.audit })
    case 'error':
      return `${time} error ${entry.requestId} ${entry.error}`
    case 'refused':
      return `${time} refused ${entry.status} ${entry.error}`
    case 'server':
      return `${time} server ${entry.message}`
  }
}

/** A line for the log, without keys in names that an audit repeats; texts of requests and errors are clean already. */
function cleanLine(line: string, kind: Entry['kind']): string {
  return oneLine(kind === 'audit' ? withoutKeys(line) : line)
}

function lineKind(kind: Entry['kind']): LineKind {
  return kind === 'request' || kind === 'refused' ? 'request' : 'other'
}
