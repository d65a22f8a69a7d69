/** Chromium as the tests of the page start it: without a profile, and with a proxy that notes whatever would leave this machine. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, type CDPSession, chromium } from 'playwright-core'
import { CHROMIUM_FLAGS, chromiumPath } from '../../../scripts/chromium.ts'

/** Reason to skip tests in a browser. */
export const NO_CHROMIUM =
  chromiumPath() === undefined
    ? 'there is no Chromium: `node scripts/chromium.ts` installs Debian’s, as root'
    : undefined

/** Places that Chromium asks for by itself, flags or not. No page of ours names one of them: its own requests are looked at as well. */
const OF_CHROMIUM =
  /(?:\/\/| )(?:update|content-autofill|optimizationguide-pa)\.googleapis\.com|(?:\/\/| )(?:accounts|clients\d|android\.clients)\.google\.com/

export interface TestBrowser {
  readonly browser: Browser
  /** Places of other machines that were asked for since the last call. */
  takeStrangers(): readonly string[]
  /** Words of shared workers since the last call: pages do not hear them. */
  takeWorkerWords(): readonly string[]
  close(): Promise<void>
}

export async function launch(): Promise<TestBrowser> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error(NO_CHROMIUM)
  const strangers: string[] = []
  const words: string[] = []
  const proxy = await notingProxy(strangers)
  const port = (proxy.address() as AddressInfo).port
  const browser = await chromium.launch({
    executablePath,
    // Requests to this machine do not go by way of a proxy.
    args: [...CHROMIUM_FLAGS, `--proxy-server=http://127.0.0.1:${port}`, '--js-flags=--expose-gc'],
  })
  await hearSharedWorkers(await browser.newBrowserCDPSession(), words)
  return {
    browser,
    takeStrangers: () => strangers.splice(0).filter((place) => !OF_CHROMIUM.test(place)),
    takeWorkerWords: () => words.splice(0),
    close: async () => {
      await browser.close()
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}

/** Refuses everything, and notes it. */
async function notingProxy(strangers: string[]): Promise<Server> {
  const proxy = createServer((request, response) => {
    strangers.push(`${request.method} ${request.url}`)
    response.writeHead(502).end()
  })
  proxy.on('connect', (request, socket) => {
    strangers.push(`CONNECT ${request.url}`)
    socket.end('HTTP/1.1 502 Refused\r\n\r\n')
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return proxy
}

/** Shared workers belong to no page, so that their console and their errors are heard by Chromium's own protocol. */
async function hearSharedWorkers(session: CDPSession, words: string[]): Promise<void> {
  session.on('Target.targetCreated', ({ targetInfo: { type, targetId } }) => {
    if (type === 'shared_worker') attach(targetId).catch(() => undefined)
  })
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { method, params } = JSON.parse(message)
    if (HEARD.includes(method)) words.push(`shared worker: ${JSON.stringify(params)}`)
  })
  await session.send('Target.setDiscoverTargets', { discover: true })

  async function attach(targetId: string) {
    const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false })
    for (const [i, method] of ['Runtime.enable', 'Log.enable'].entries()) {
      await session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id: i + 1, method }) })
    }
  }
}

const HEARD: readonly unknown[] = ['Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded']
