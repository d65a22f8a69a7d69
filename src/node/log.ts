/** One line a request, gathered so that a busy server does not write for each. */
import type { MiddlewareHandler } from 'hono'
import { withoutKeys } from '../core/keys.ts'
import type { AppEnv } from '../routes/context.ts'

const FLUSH_MS = 100
const FLUSH_LINES = 1000

export class RequestLog {
  private lines: string[] = []
  private timer: NodeJS.Timeout | undefined

  constructor() {
    // Whoever read the log may go away; the server stays.
    process.stdout.on('error', () => undefined)
  }

  /** Method, path, status, milliseconds and request id. */
  readonly middleware: MiddlewareHandler<AppEnv> = async (c, next) => {
    const begun = performance.now()
    await next()
    const ms = (performance.now() - begun).toFixed(1)
    this.write(
      `${new Date().toISOString()} ${c.req.method} ${c.req.path} ${c.res.status} ${ms}ms ${c.get('requestId')}`,
    )
  }

  write(line: string): void {
    // Somebody will put a key where none belongs, as in a path.
    this.lines.push(withoutKeys(line))
    if (this.lines.length >= FLUSH_LINES) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_MS)
  }

  flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.lines.length === 0) return
    process.stdout.write(`${this.lines.join('\n')}\n`)
    this.lines = []
  }
}
