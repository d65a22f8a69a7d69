/** The lines between the kit and a driver: how an answer is told from noise, and an error from a result. */

/** An answer that is none, or not of the kind that the command has. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** A line of a driver. */
export interface Answer {
  readonly id: number
  readonly ok?: unknown
  readonly error?: Failure
}

/** An error as a driver tells it. */
export interface Failure {
  readonly code: string
  readonly detail: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Characters of a line that a message shows. */
const SHOWN = 300

export function shown(line: string): string {
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN)}… (${line.length} characters)`
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws ProtocolError that shows the line */
export function parseAnswer(line: string): Answer {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new ProtocolError(
      `the driver printed a line that is no JSON: ${shown(line)}\n(what it prints for people goes to standard error)`,
    )
  }
  if (!isRecord(value) || typeof value.id !== 'number') {
    throw new ProtocolError(`the driver printed a line without the "id" of a command: ${shown(line)}`)
  }
  const { id, ok, error } = value
  if (error === undefined) {
    if ('ok' in value) return { id, ok }
    throw new ProtocolError(`an answer has "ok" or "error": ${shown(line)}`)
  }
  if (!isRecord(error) || typeof error.code !== 'string') {
    throw new ProtocolError(`an error has a "code", which is a text: ${shown(line)}`)
  }
  return { id, error: { code: error.code, detail: String(error.detail ?? ''), fields: error } }
}

/** The greeting of a driver: capabilities that its client lacks, with the reason of each. */
export interface Greeting {
  readonly client: string
  readonly lacks: ReadonlyMap<string, string>
}

/** @throws ProtocolError for a greeting that is none */
export function parseGreeting(given: unknown): Greeting {
  if (!isRecord(given)) throw new ProtocolError(`hello is answered with an object, not ${shown(JSON.stringify(given))}`)
  const { protocol, client = 'a client', version = '', language = '', lacks = {} } = given
  if (protocol !== 1) throw new ProtocolError(`the driver speaks protocol ${protocol}, and the kit 1`)
  if (!isRecord(lacks)) throw new ProtocolError('"lacks" of hello is an object: a reason for each capability')
  const named = [client, version, language === '' ? '' : `(${language})`].filter((part) => part !== '')
  return { client: named.join(' '), lacks: new Map(Object.entries(lacks).map(([name, why]) => [name, String(why)])) }
}
