/** The application behind a port, which may be exchanged: while a server starts, another one answers. */
import type { Hono } from 'hono'
import type { AppEnv } from '../http/context.ts'

export type Fetching = Pick<Hono<AppEnv>, 'fetch'>

export class Front implements Fetching {
  private app: Fetching

  constructor(app: Fetching) {
    this.app = app
  }

  readonly fetch: Fetching['fetch'] = (...args) => this.app.fetch(...args)

  /** Requests from now on go to this application. */
  lead(app: Fetching): void {
    this.app = app
  }
}
