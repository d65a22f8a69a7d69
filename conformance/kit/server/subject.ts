/** A server that is held against the contract: an application in this process, or one behind an address. */
import { afterAll, type TestContext } from 'vitest'
import type { Api } from '../../../test/http/api.ts'

export interface Subject {
  /** A stride through tables of cases that differ in nothing but numbers; 1: all of them. */
  readonly every: number
  /** True for a server that may do without what a later section of the contract adds. */
  readonly mayLack: boolean
  /**
   * Requests to a place of its own on the server, where nothing is yet.
   *
   * @param ending takes the function that leaves nothing of it behind; it is called at the end of the test when absent
   */
  open(ending?: (clean: () => Promise<void>) => void): Promise<Api>
}

/** A place for tests that change nothing: made once, and anew behind one that has failed. */
export class SharedPlace<T> {
  private readonly server: Subject
  private readonly prepare: (api: Api) => Promise<T>
  private readonly cleanups: (() => Promise<void>)[] = []
  private made: Promise<readonly [Api, T]> | undefined

  /** To be made where tests are declared. */
  constructor(server: Subject, prepare: (api: Api) => Promise<T>) {
    this.server = server
    this.prepare = prepare
    afterAll(async () => {
      for (const clean of this.cleanups) await clean()
    })
  }

  /** Calls a test with the requests, and with what was prepared. */
  async use(test: (api: Api, prepared: T) => Promise<void>): Promise<void> {
    this.made ??= this.make()
    try {
      await test(...(await this.made))
    } catch (error) {
      this.made = undefined
      throw error
    }
  }

  private async make(): Promise<readonly [Api, T]> {
    const api = await this.server.open((clean) => this.cleanups.push(clean))
    return [api, await this.prepare(api)]
  }
}

/**
 * An answer of a route that a server may do without: if it does, the test is skipped.
 *
 * @param feature in the reason, such as "summaries"
 */
export async function optional(
  { mayLack }: Subject,
  { skip }: Pick<TestContext, 'skip'>,
  feature: string,
  response: Response,
): Promise<Response> {
  if (!mayLack || response.status !== 404) return response
  const isMissing = /"code":\s*"not_found"/.test(await response.clone().text())
  return isMissing ? skip(`the server has no ${feature}: 404 not_found`) : response
}
