/** A driver as a process: commands in, answers out, each within a time, and readable words where it fails. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linesOf } from './lines.ts'
import {
  type Answer,
  type Failure,
  type Greeting,
  ProtocolError,
  parseAnswer,
  parseGreeting,
  shown,
} from './protocol.ts'

export interface DriverOptions {
  /** A command line for the shell. */
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  /** Seconds that an answer may take. */
  readonly patience: number
}

/** Milliseconds that a driver may take to end when its input has ended. */
const ENDING_MS = 10_000
/** Characters of its standard error that are kept for messages. */
const KEPT = 4000

/** An error as a client gave it, which tests look at as at an McbError: by `code` and `fields`. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: string
  readonly fields: Readonly<Record<string, unknown>>

  constructor({ code, detail, fields }: Failure, op: string) {
    super(`${op} failed with ${code}: ${detail}`)
    this.code = code
    this.fields = fields
  }
}

interface Waiting {
  readonly op: string
  readonly resolve: (ok: unknown) => void
  readonly reject: (reason: Error) => void
}

export class Driver {
  greeting: Greeting = { client: 'a client', lacks: new Map() }
  private readonly child: ChildProcess
  private readonly patience: number
  private readonly waiting = new Map<number, Waiting>()
  private readonly exited: Promise<unknown>
  private last = 0
  /** Ends a driver whose oldest command has waited for too long. */
  private timer: NodeJS.Timeout | undefined
  private failure: Error | undefined
  private said = ''

  private constructor({ command, env, patience }: DriverOptions) {
    this.patience = patience
    // A group of its own, so that also what the shell starts can be ended.
    const child = spawn(command, { shell: true, detached: true, env: { ...process.env, ...env } })
    this.child = child
    this.exited = once(child, 'close').catch(() => undefined)
    child.once('error', (error) => this.fail(`the driver cannot be started: ${error.message}`))
    child.once('close', (code, signal) => this.fail(`the driver has ended with ${signal ?? `exit code ${code}`}`))
    // A driver that has ended takes no more; its end is told by `close`.
    child.stdin.on('error', () => undefined)
    this.read(child.stdout).catch((error: unknown) => this.fail(`the driver's output cannot be read: ${error}`))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-KEPT)
    })
  }

  /** True until it has failed: it is of no use then. */
  get isAlive(): boolean {
    return this.failure === undefined
  }

  /** Starts a driver and greets it. One that knows no `hello` is taken to lack nothing. */
  static async start(options: DriverOptions): Promise<Driver> {
    const driver = new Driver(options)
    try {
      driver.greeting = parseGreeting(await driver.ask('hello', { protocol: 1 }))
    } catch (error) {
      if (error instanceof ClientError && error.code === 'not_implemented') return driver
      await driver.kill()
      throw error
    }
    return driver
  }

  /** The result of a command. @throws ClientError; ProtocolError when the driver does not do its part */
  async ask(op: string, members: object = {}): Promise<unknown> {
    if (this.failure !== undefined) throw this.failure
    const id = ++this.last
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.waiting.set(id, { op, resolve, reject })
    if (this.waiting.size === 1) this.watch()
    this.child.stdin?.write(`${escaped(JSON.stringify({ id, op, ...members }))}\n`)
    return promise
  }

  /** Begins the time of the oldest command that waits: those behind it have theirs when it is answered. */
  private watch(): void {
    clearTimeout(this.timer)
    const [oldest] = this.waiting.values()
    if (oldest === undefined) return
    const late = () => {
      this.fail(`${oldest.op} was not answered within ${this.patience} s`)
      this.signal('SIGKILL')
    }
    this.timer = setTimeout(late, this.patience * 1000)
  }

  /** Ends the driver's input, and waits for its end. @throws ProtocolError when it does not end by itself, and well */
  async stop(): Promise<void> {
    const failure = this.failure
    if (failure !== undefined) return this.kill()
    this.child.stdin?.end()
    const timer = setTimeout(() => this.signal('SIGKILL'), ENDING_MS)
    await this.exited
    clearTimeout(timer)
    if (this.child.signalCode === 'SIGKILL') {
      throw new ProtocolError(`the driver did not end within ${ENDING_MS / 1000} s when its input had ended`)
    }
    if (this.child.exitCode !== 0) throw this.failure ?? new ProtocolError('the driver has not ended well')
  }

  private async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  private signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    try {
      process.kill(-pid, signal)
    } catch {
      // It has ended at this moment.
    }
  }

  private async read(output: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const line of linesOf(output)) this.take(line)
  }

  private take(line: string): void {
    let answer: Answer
    try {
      answer = parseAnswer(line)
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error))
      return
    }
    const waiting = this.waiting.get(answer.id)
    const [oldest] = this.waiting.keys()
    this.waiting.delete(answer.id)
    if (answer.id === oldest) this.watch()
    if (waiting === undefined)
      this.fail(`the driver answered a command ${answer.id} that does not wait: ${shown(line)}`)
    else if (answer.error === undefined) waiting.resolve(answer.ok)
    else waiting.reject(new ClientError(answer.error, waiting.op))
  }

  /** Rejects all that waits; the driver is of no use from now on. */
  private fail(why: string): void {
    const open = [...this.waiting.values()]
    const during = open.length > 0 ? ` during ${open.map(({ op }) => op).join(', ')}` : ''
    const said = this.said.trim() === '' ? '' : `\nit said:\n${this.said.trim()}`
    this.failure ??= new ProtocolError(`${why}${why.includes(' was not answered') ? '' : during}${said}`)
    this.waiting.clear()
    clearTimeout(this.timer)
    for (const { reject } of open) reject(this.failure)
  }
}

/** JSON without the characters, beside a line feed, that some readers of lines take for an end. */
function escaped(json: string): string {
  return json.replace(/[\u0085\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
