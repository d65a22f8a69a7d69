/** Drivers for tests, started with what conformance/drivers/README.md promises them. */
import { TestRunner } from 'vitest'
import { Client, DriverBackend } from './backend.ts'
import { Driver } from './driver.ts'
import type { Skip } from './lacks.ts'
import type { KitSettings } from './settings.ts'

export interface Started {
  readonly client: Client
  readonly backend: DriverBackend
  /** Starts the driver again, when it has ended or failed: the next tests are to say something of their own. */
  revive(): Promise<void>
  stop(): Promise<void>
}

/** Pauses before retries: short, so that tests do not wait, and with time for those that must. */
const RETRIES = { MCB_RETRY_BASE_MS: '2', MCB_RETRY_CAP_MS: '20', MCB_RETRY_LIMIT_MS: '30000' }

/** Starts of a driver that are worth while. */
const STARTS = 10

/** Starts the driver of the client under test before an address. `more` are capabilities that no client has there, and why. */
export async function startClient(
  { driver: command, token, patience }: KitSettings,
  url: string,
  more: ReadonlyMap<string, string> = new Map(),
): Promise<Started> {
  const options = { command, patience, env: { MCB_URL: url, MCB_TOKEN: token ?? '', ...RETRIES } }
  const first = await Driver.start(options)
  const client = new Client(first, new Map([...first.greeting.lacks, ...more]), skip)
  let starts = 1
  const revive = async () => {
    if (client.driver.isAlive) return
    if (++starts > STARTS) throw new Error(`the driver has ended ${STARTS} times; it is not started again`)
    client.driver = await Driver.start(options)
  }
  return { client, backend: new DriverBackend(client), revive, stop: () => client.driver.stop() }
}

/** Ends the present test as skipped, also where what is thrown here is taken for an error of the client. */
const skip: Skip = (reason) => {
  const test = TestRunner.getCurrentTest()
  if (test?.result === undefined) throw new Error(`outside of a test: ${reason}`)
  Object.assign(test.result, { note: reason })
  return test.context.skip(reason)
}
