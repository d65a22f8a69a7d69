/** Drivers for tests, started with what conformance/drivers/README.md promises them. */
import { TestRunner } from 'vitest'
import { Client, DriverBackend } from './backend.ts'
import { Driver } from './driver.ts'
import type { RawServer } from './duties/raw.ts'
import type { Skip } from './lacks.ts'
import type { KitSettings } from './settings.ts'

export interface Started {
  readonly client: Client
  readonly backend: DriverBackend
  /**
   * Starts the driver again, when it has ended or failed: the next tests are to say something of their own.
   *
   * @returns true when it had
   */
  revive(): Promise<boolean>
  stop(): Promise<void>
}

/** Pauses before retries: short, so that tests do not wait, and with time for those that must. */
const RETRIES = { MCB_RETRY_BASE_MS: '2', MCB_RETRY_CAP_MS: '20', MCB_RETRY_LIMIT_MS: '30000' }

/** Starts of a driver that are worth while. */
const STARTS = 10

/**
 * Starts the driver of the client under test before an address.
 *
 * @param raw the server behind that address
 * @param more capabilities that no client has there, and why
 */
export async function startClient(
  { driver: command, token, patience }: KitSettings,
  url: string,
  raw: RawServer,
  more: ReadonlyMap<string, string> = new Map(),
): Promise<Started> {
  const options = { command, patience, env: { MCB_URL: url, MCB_TOKEN: token ?? '', ...RETRIES } }
  const first = await Driver.start(options)
  const client = new Client(first, new Map([...first.greeting.lacks, ...more]), skip, raw)
  let starts = 1
  const revive = async () => {
    if (client.driver.isAlive) return false
    if (++starts > STARTS) throw new Error(`the driver has ended ${STARTS} times; it is not started again`)
    await client.driver.stop()
    client.driver = await Driver.start(options)
    return true
  }
  return { client, backend: new DriverBackend(client), revive, stop: () => client.driver.stop() }
}

/** Asks the server something by each client: one that has had no answer of it may take a page for a wrong address. */
export async function meet(started: readonly Started[]): Promise<void> {
  for (const { client, backend } of started) {
    if (!client.lacks.has('getRun')) await backend.getRun('none-of-this-name')
  }
}

/** Starts drivers again that have ended. They must meet the server, so that nothing may fail meanwhile. */
export async function reviveAll(started: readonly Started[]): Promise<void> {
  const again: Started[] = []
  for (const one of started) if (await one.revive()) again.push(one)
  await meet(again)
}

/** Ends the present test as skipped, also where what is thrown here is taken for an error of the client. */
const skip: Skip = (reason) => {
  const test = TestRunner.getCurrentTest()
  if (test?.result === undefined) throw new Error(`outside of a test: ${reason}`)
  Object.assign(test.result, { note: reason })
  return test.context.skip(reason)
}
