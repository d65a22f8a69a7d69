/** CmdStan's file through `tail` and `curl` alone, while lines come, connections break, and the server is killed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { Target } from '../kill/target.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const DRAWS = 60
const row = (i: number) => `${-7 - i},0.5,${i % 5},${i % 2},${i / 8},${Math.sqrt(i)},${1 / (i + 1)}`
const HEAD = `# method = sample (Default)
#     num_samples = ${DRAWS}
#     num_warmup = 0
# model = curl_model
lp__,stepsize__,treedepth__,divergent__,mu,theta.1,theta.2
`
const END = `# 
#  Elapsed Time: 0.1 seconds (Warm-up)
#                0.2 seconds (Sampling)
#                0.3 seconds (Total)
`

let folder: string
let target: Target
const children = new Set<ChildProcess>()

beforeAll(async () => {
  folder = newFolder()
  target = await Target.start('node', folder)
}, 60_000)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await target?.dispose()
  removeFolder(folder)
})

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return false
  }
}

/** `tail -f FILE | curl -T - URL`, once. */
class Follower {
  output = ''
  readonly ended: Promise<unknown>
  private readonly tail: ChildProcess
  private readonly curl: ChildProcess

  constructor(file: string, url: string) {
    this.tail = spawn('tail', ['-n', '+1', '-s', '0.05', '-f', file], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.curl = spawn('curl', ['-sS', '-T', '-', url], { stdio: ['pipe', 'pipe', 'pipe'] })
    children.add(this.tail).add(this.curl)
    const { stdin, stdout, stderr } = this.curl
    if (stdin !== null) this.tail.stdout?.pipe(stdin)
    stdin?.on('error', () => {})
    for (const stream of [stdout, stderr]) stream?.on('data', (text) => this.add(String(text)))
    this.ended = once(this.curl, 'close').then(() => this.tail.kill())
  }

  private add(text: string): void {
    this.output += text
  }

  /** Ends by itself, while lines come: curl looks at no answer while it waits for one. */
  async endedWhile(file: string): Promise<void> {
    const timer = setInterval(() => appendFileSync(file, '#\n'), 100)
    await this.ended
    clearInterval(timer)
  }

  /** The file has ended: `tail` is stopped, as by Ctrl-C. */
  async end(): Promise<string> {
    this.tail.kill()
    await this.ended
    return this.output
  }

  /** The connection breaks. */
  async breakOff(): Promise<void> {
    this.curl.kill('SIGKILL')
    await this.ended
  }
}

async function lengthOf(rid: string): Promise<number> {
  try {
    const run = await new HttpBackend({ url: target.url, retry: { limit: 10_000, base: 20 } }).getRun(rid)
    return (await (await run?.getChain(0))?.length()) ?? 0
  } catch {
    return -1
  }
}

async function until(rid: string, length: number): Promise<number> {
  const began = performance.now()
  while ((await lengthOf(rid)) < length) {
    expect(performance.now() - began, `${length} draws are late`).toBeLessThan(30_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return performance.now() - began
}

test.skipIf(!hasCurl())('a growing file: breaks, a killed server, and every draw once', async () => {
  const rid = 'followed'
  const url = `${target.url}/v1/runs/${rid}/chains/0/stan.csv`
  const file = join(folder, 'output_1.csv')
  writeFileSync(file, HEAD)
  let follower = new Follower(file, url)
  for (let i = 0; i < DRAWS; i++) {
    const line = `${row(i)}\n`
    // As CmdStan's buffer is written out: a line may come in two parts.
    appendFileSync(file, line.slice(0, 7))
    if (i % 7 === 3) await new Promise((resolve) => setTimeout(resolve, 60))
    appendFileSync(file, line.slice(7))
    if (i === 10) expect(await until(rid, 11)).toBeLessThan(10_000)
    if (i === 20) {
      await follower.breakOff()
      follower = new Follower(file, url)
    }
    if (i === 35) {
      await until(rid, 30)
      await target.kill()
      await follower.endedWhile(file)
      await target.start()
      expect(await lengthOf(rid)).toBeGreaterThanOrEqual(30)
      follower = new Follower(file, url)
    }
  }
  appendFileSync(file, END)
  await until(rid, DRAWS)
  expect(await follower.end()).toBe(`{"chain":0,"length":${DRAWS},"complete":true}`)
  const run = await new HttpBackend({ url: target.url }).getRun(rid)
  const theta = await (await run?.getChain(0))?.getDraws('theta')
  const expected = Array.from({ length: DRAWS }, (_, i) => [Math.sqrt(i), 1 / (i + 1)]).flat()
  expect(theta).toMatchObject({ shape: [DRAWS, 2], data: Float64Array.from(expected) })
})

test.skipIf(!hasCurl())('curl shows what is wrong, and ends', async () => {
  const file = join(folder, 'bad.csv')
  writeFileSync(file, `${HEAD}${row(0)}\n`)
  const follower = new Follower(file, `${target.url}/v1/runs/bad/chains/0/stan.csv`)
  await until('bad', 1)
  appendFileSync(file, 'Killed\n')
  await follower.endedWhile(file)
  expect(follower.output).toMatch(/line 7: .*Killed.* is no number/)
  expect(await lengthOf('bad')).toBe(1)
})

test.skipIf(!hasCurl())('a file that another run overwrites is a conflict', async () => {
  const file = join(folder, 'overwritten.csv')
  writeFileSync(file, `${HEAD}${row(0)}\n${row(1)}\n`)
  const url = `${target.url}/v1/runs/overwritten/chains/0/stan.csv`
  const first = new Follower(file, url)
  await until('overwritten', 2)
  await first.end()
  writeFileSync(file, `${HEAD}${row(5)}\n`)
  const second = new Follower(file, url)
  await second.endedWhile(file)
  expect(second.output).toMatch(/"draw_conflict".*"length":2/)
})
