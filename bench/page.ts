/** `npm run bench:page`: the speed of the page in Chromium, with the server beside it on this machine. */
import { loadavg } from 'node:os'
import { resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { HttpBackend } from '../src/client/index.ts'
import buildPage from '../test/page/support/built.ts'
import { launch, NO_CHROMIUM } from '../test/page/support/chromium.ts'
import { contextOptions } from '../test/page/support/fixture-options.ts'
import { wide } from '../test/page/support/runs/odd.ts'
import { sampling } from '../test/page/support/runs/schools.ts'
import { benchCommand } from './lib/command.ts'
import { atLeast, atMost } from './lib/figures.ts'
import { median, pairedRatio, rate } from './lib/measure.ts'
import { Body, createRun, eightSchools, scalars, Writer } from './lib/model.ts'
import { Viewer } from './lib/page-viewer.ts'
import { type Started, start } from './lib/server.ts'
import { Connection } from './lib/wire.ts'

const HELP = `usage: npm run bench:page -- [--json] [--quick] [--only first|live|long|load]

  --json   one JSON object on standard output; progress goes to standard error
  --quick  fewer draws, and fewer and shorter turns
  --only   first    first paint of a run of 10,008 scalars × 4 × 1,000, from the click
           live     a new draw on screen after its POST's answer, and the longest task of the main thread
           long     a trace of 4 × 10⁶ draws: its first picture, and its zoom to exact draws
           load     appends at half the maximum load beside 20 viewers, against none

Sizes of the script are tests: test/node/page.test.ts. Use an idle machine.`

const { scale, only, report, say, finish } = benchCommand(HELP)
const isQuick = scale.data < 1
const wanted = (name: string) => only === undefined || only.includes(name)
const CHAINS = 4

const serve = () =>
  start([process.execPath, 'src/node.ts'], (folder) => ({
    PORT: '0',
    MCB_LOG: 'quiet',
    MCB_MIN_FREE_MIB: '0',
    MCB_DATA_DIR: resolve(folder),
  }))

/** Runs `measure` with a page of its own on a server of its own. */
async function onPage(measure: (page: Page, server: Started) => Promise<void>): Promise<void> {
  const server = await serve()
  const { browser, close } = await launch()
  try {
    const context = await browser.newContext(contextOptions({}))
    await measure(await context.newPage(), server)
  } finally {
    await close()
    await server.stop()
  }
}

/** Goes to a place as a click on a link does, and gives the milliseconds until what `selector` names has been painted. */
function paintedAfterClick(page: Page, to: string, selector: string): Promise<number> {
  return page.evaluate(
    async ({ to, selector }) => {
      const isPainted = () => {
        const found = document.querySelector(selector)
        if (!(found instanceof HTMLCanvasElement)) return found !== null
        const { width, height } = found
        if (width === 0 || height === 0) return false
        const pixels = found.getContext('2d')?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray()
        return pixels.some((value) => value !== 0)
      }
      const link = document.createElement('a')
      link.href = to
      document.body.append(link)
      const begun = performance.now()
      link.click()
      while (!isPainted()) await new Promise((done) => requestAnimationFrame(done))
      const taken = performance.now() - begun
      link.remove()
      return taken
    },
    { to, selector },
  )
}

async function firstFigures(page: Page, server: Started): Promise<void> {
  const draws = isQuick ? 100 : 1000
  say(`writing 10,008 scalars × 4 × ${draws} …`)
  await wide(new HttpBackend({ url: server.url.origin }), { rid: 'wide', chains: CHAINS, draws })
  await fetch(new URL('/v1/runs/wide/checks', server.url), { headers: { Prefer: 'wait=60' } })
  const places = [
    ['the overview, with its log density', '/ui/runs/wide', '.chart-stage canvas'],
    ['the table of variables, with its figures', '/ui/runs/wide?tab=variables', '[role=row] canvas'],
  ] as const
  for (const [name, to, selector] of places) {
    const times: number[] = []
    for (let round = 0; round <= scale.rounds; round++) {
      await page.goto(new URL('/ui/', server.url).href)
      await page.getByRole('link', { name: 'wide' }).first().waitFor()
      const taken = await paintedAfterClick(page, to, selector)
      if (round > 0) times.push(taken)
    }
    const detail = `slowest ${Math.max(...times).toFixed(0)} ms`
    report(atMost(`first paint of 10,008 scalars: ${name}`, median(times), 1000, 'ms', detail))
  }
}

/** Milliseconds from each answer to an append until the page shows the new length. */
async function latencies(page: Page, url: URL, rid: string, turns: number): Promise<readonly number[]> {
  await page.evaluate(() => {
    const shown: [length: number, at: number][] = []
    Reflect.set(window, 'shown', shown)
    const look = () => {
      const text = (document.querySelector('.run-head')?.textContent ?? '').replaceAll(/[\s\u202f]/g, '')
      const length = Number(/n=(\d+)/.exec(text)?.[1])
      if (length !== shown.at(-1)?.[0]) shown.push([length, Date.now()])
      requestAnimationFrame(look)
    }
    look()
  })
  const chain = await (await new HttpBackend({ url: url.origin }).getRun(rid))?.initChain(0)
  const answered: number[] = []
  for (let i = 0; i < turns; i++) {
    await chain?.append({ x0: Math.sin(i) })
    await chain?.flush()
    answered.push(Date.now())
    await new Promise((done) => setTimeout(done, 700 + (i % 7) * 60))
  }
  const before = (await chain?.length()) ?? 0
  const shown: readonly [number, number][] = await page.evaluate(() => Reflect.get(window, 'shown'))
  return answered.map((at, i) => {
    const length = before - turns + i + 1
    const [, seen = Number.POSITIVE_INFINITY] = shown.find(([each]) => each >= length) ?? []
    return Math.max(0, seen - at)
  })
}

/** Milliseconds of the longest task of the main thread while `seconds` pass; tasks of less than 50 are none. */
async function longestTask(page: Page, seconds: number): Promise<number> {
  return page.evaluate(async (milliseconds) => {
    let longest = 0
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
    })
    observer.observe({ type: 'longtask' })
    await new Promise((done) => setTimeout(done, milliseconds))
    observer.disconnect()
    return longest
  }, 1000 * seconds)
}

async function liveFigures(page: Page, server: Started): Promise<void> {
  const connection = await Connection.open(server.url)
  const model = scalars(1)
  await createRun(connection, 'still', model, 1)
  await new Writer(connection, 'still', 0, new Body(model, 200)).append()
  await page.goto(new URL('/ui/runs/still', server.url).href)
  await page.locator('.run-head').waitFor()
  await page.waitForTimeout(1500)
  const times = await latencies(page, server.url, 'still', isQuick ? 8 : 30)
  report(
    atMost(
      'new draw on screen after its answer',
      median(times),
      1000,
      'ms',
      `slowest ${Math.max(...times).toFixed(0)} ms`,
    ),
  )
  connection.close()

  const live = await sampling(new HttpBackend({ url: server.url.origin, flush: { interval: 100 } }), {
    rid: 'live',
    perSecond: 100,
  })
  try {
    for (const tab of ['', '?tab=variables', '?tab=variables&sel=tau', '?tab=sampler', '?tab=pairs']) {
      await page.goto(new URL(`/ui/runs/live${tab}`, server.url).href)
      await page.locator('.run-head').waitFor()
      await page.waitForTimeout(5000)
      const seconds = isQuick ? 5 : 20
      const longest = await longestTask(page, seconds)
      report(atMost(`longest task while live, at "${tab}"`, longest, 50, 'ms', `${seconds} s; 0 is less than 50`))
    }
  } finally {
    await live.stop()
  }
}

/** Milliseconds until the picture has changed for the last time, after `act`. */
async function stillAfter(page: Page, act: () => Promise<void>): Promise<number> {
  await page.evaluate(() => {
    const canvas = document.querySelector('.chart-stage canvas')
    const watched = { changedAt: 0, sum: 0, isOver: false }
    Reflect.set(window, 'watched', watched)
    addEventListener('keydown', () => (watched.changedAt = performance.now()), { once: true, capture: true })
    const look = () => {
      if (watched.isOver || !(canvas instanceof HTMLCanvasElement)) return
      const { width, height } = canvas
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray()
      let sum = 0
      for (let i = 0; i < pixels.length; i += 16) sum = (sum * 31 + (pixels[i] ?? 0)) | 0
      if (sum !== watched.sum) Object.assign(watched, { sum, lastAt: performance.now() })
      requestAnimationFrame(look)
    }
    look()
  })
  await page.waitForTimeout(200)
  await act()
  await page.waitForTimeout(1500)
  return page.evaluate(() => {
    const watched = Reflect.get(window, 'watched')
    watched.isOver = true
    return watched.lastAt - watched.changedAt
  })
}

async function longFigures(page: Page, server: Started): Promise<void> {
  const draws = isQuick ? 100_000 : 1_000_000
  say(`writing 4 × ${draws} draws …`)
  const model = scalars(1)
  const count = 50_000
  const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, 'long', model, CHAINS)
  for (const [chain, connection] of connections.entries()) {
    const writer = new Writer(connection, 'long', chain, new Body(model, count, chain + 1))
    for (let done = 0; done < draws; done += count) await writer.append()
    connection.close()
  }
  const firsts: number[] = []
  const zooms: number[] = []
  for (let round = 0; round <= Math.min(3, scale.rounds); round++) {
    await page.goto(new URL('/ui/', server.url).href)
    await page.getByRole('link', { name: 'long' }).first().waitFor()
    const taken = await paintedAfterClick(page, '/ui/runs/long?tab=variables&sel=x0', '.chart-stage canvas')
    await page.waitForTimeout(4000)
    await page.locator('.chart-stage[role=slider]').first().focus()
    for (let i = 0; i < 11; i++) await page.keyboard.press('+')
    await page.waitForTimeout(2000)
    const zoom = await stillAfter(page, () => page.keyboard.press('+'))
    if (round === 0) continue
    firsts.push(taken)
    zooms.push(zoom)
  }
  report(atMost(`trace of 4 × ${draws} draws, first picture`, median(firsts), 1000, 'ms', 'from the click'))
  report(atMost('its zoom to exact draws', median(zooms), 300, 'ms', 'from the key until the picture is still'))
}

const VIEWERS = 20

async function loadFigures(server: Started): Promise<void> {
  const model = eightSchools()
  const seconds = isQuick ? 2 : 4
  let runs = 0
  const fresh = async () => {
    const rid = `load-${++runs}`
    const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
    const [first] = connections
    if (first === undefined) throw new Error('no connection')
    await createRun(first, rid, model, CHAINS)
    const writers = connections.map((each, chain) => new Writer(each, rid, chain, new Body(model, 1, chain + 1)))
    const close = () => {
      for (const each of connections) each.close()
    }
    return { rid, writers, close }
  }
  const most = await (async () => {
    const { writers, close } = await fresh()
    const found = await rate(CHAINS, seconds, async (worker) => writers[worker]?.append())
    close()
    return found
  })()
  let requests = 0
  const times = { with: [] as number[], without: [] as number[] }
  const turn = async (kind: 'with' | 'without') => {
    const { rid, writers, close } = await fresh()
    for (const writer of writers) await writer.append()
    const viewers = Array.from(
      { length: kind === 'with' ? VIEWERS : 0 },
      () => new Viewer(server.url, rid, 'lp', CHAINS),
    )
    await Promise.all(viewers.map((viewer) => viewer.open()))
    const interval = (1000 * writers.length * 2) / most
    const begun = performance.now()
    const end = begun + seconds * 1000
    let appends = 0
    await Promise.all(
      writers.map(async (writer, at) => {
        for (let due = begun + (interval * at) / writers.length; due < end; due += interval) {
          const early = due - performance.now()
          if (early > 0) await new Promise((done) => setTimeout(done, early))
          const sent = performance.now()
          await writer.append()
          times[kind].push(performance.now() - sent)
          appends++
        }
      }),
    )
    const taken = (performance.now() - begun) / 1000
    for (const viewer of viewers) requests += await viewer.close()
    close()
    return appends / taken
  }
  const ratio = await pairedRatio(
    isQuick ? 3 : 10,
    () => turn('with'),
    () => turn('without'),
  )
  const waits = `median ${median(times.with).toFixed(1)} ms / ${median(times.without).toFixed(1)} ms`
  const detail = `${(most / 2).toFixed(0)}/s of at most ${most.toFixed(0)}/s, ${requests} requests of viewers; ${waits}`
  report(atLeast(`appends: ${VIEWERS} viewers / none`, ratio, 0.95, detail))
}

say(`load average before: ${loadavg().map((load) => load.toFixed(1))}`)
await buildPage()
if (NO_CHROMIUM !== undefined) say(`without a browser: ${NO_CHROMIUM}`)
else {
  if (wanted('first')) await onPage(firstFigures)
  if (wanted('live')) await onPage(liveFigures)
  if (wanted('long')) await onPage(longFigures)
}
if (wanted('load')) {
  const server = await serve()
  try {
    await loadFigures(server)
  } finally {
    await server.stop()
  }
}
finish()
