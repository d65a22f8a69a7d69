/** `mcb summary` as a process in front of a server: tables that people read, CSV and JSON that programs do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpBackend, type HttpRun } from '../../src/client/index.ts'
import { parseJson } from '../../src/core/json.ts'
import { summaryJson } from '../../src/core/summary/text.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { openServer, type TestServer } from './served.ts'

const MCB = fileURLToPath(new URL('../../bin/mcb.mjs', import.meta.url))
const WIDE = 60

let folder: string
let server: TestServer
let run: HttpRun

beforeAll(async () => {
  folder = newFolder()
  server = await openServer()
  run = await new HttpBackend({ url: server.url }).initRun({
    rid: 'my-run',
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'wide', dtype: 'float64', shape: [WIDE] },
      { name: 'k', dtype: 'int64' },
      { name: 'path', dtype: 'float64', shape: [-1] },
      { name: 'a,"b"\u001b[31m', dtype: 'float64' },
    ],
    sampleStats: [{ name: 'tune', dtype: 'bool' }],
  })
  for (const number of [0, 1, 2]) {
    const chain = await run.initChain(number)
    const length = number === 2 ? 20 : 120
    for (let i = 0; i < length; i++) {
      const x = Math.sin(i * 12.9898 + number * 78.233)
      const wide = Float64Array.from(
        { length: WIDE },
        (_, j) => Math.sin(i * 7.13 + j * 3.7 + number) + (j === 7 ? number : 0),
      )
      const path = { dtype: 'float64', shape: [0], data: new Float64Array() } as const
      await chain.append({ mu: 1234.5 + x, wide, k: 3n, path, 'a,"b"\u001b[31m': x / 1e7 }, { tune: i < 20 })
    }
    await chain.close()
  }
}, 60_000)
afterAll(async () => {
  await server.close()
  removeFolder(folder)
})

async function mcb(...args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const { MCB_TOKEN: _, ...env } = process.env
  const child = spawn(process.execPath, [MCB, 'summary', ...args], {
    cwd: folder,
    env: { ...env, MCB_URL: server.url, MCB_PROFILE: join(folder, 'profile.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const [code] = await once(child, 'close')
  return { code, ...said }
}

/** Cells of the lines of a table, its head first. */
const cellsOf = (lines: readonly string[]) => lines.map((line) => line.trim().split(/ {2,}/))

describe('mcb summary', () => {
  test('tells what it is of, a screen of rows, and how many there are', async () => {
    const { code, out, err } = await mcb('my-run')
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toBe('my-run: 2 chains × 100 draws without warmup; convention posterior; lb, ub: eti 0.89')
    expect(lines[1]).toBe('left out: chain 2 (no draws), path (ragged)')
    expect(cellsOf(lines.slice(2, 3))).toEqual([
      ['label', 'mean', 'sd', 'median', 'lb', 'ub', 'mcse_mean', 'mcse_sd', 'ess_bulk', 'ess_tail', 'rhat'],
    ])
    expect(lines.at(-1)).toBe('… and 13 more: --limit N, --all, or --sort -rhat for the worst first')
    expect(lines).toHaveLength(54)
    const [row] = (await run.summary({ variables: ['mu'] })).rows
    const figures = (row?.figures ?? []).map(Number)
    const [mean = 0, sd = 0, , , , error = 0, , bulk = 0] = figures
    const [label, ...shown] = cellsOf(lines.slice(3, 4))[0] ?? []
    expect([label, shown[0], shown[1], shown[5], shown[7], shown[9]]).toEqual([
      'mu',
      mean.toFixed(0),
      sd.toPrecision(3),
      error.toPrecision(2),
      String(Math.floor(bulk)),
      figures.at(-1)?.toFixed(3),
    ])
    // Numbers end where their head does.
    const end = lines[2]?.indexOf('mean') ?? 0
    expect(lines.slice(3, 53).map((line) => line[end + 4])).toEqual(new Array(50).fill(' '))
    expect(lines.slice(3, 53).map((line) => line[end + 3])).not.toContain(' ')
  })

  test('sorts by a column under any of its names, and shows reasons', async () => {
    const worst = await mcb('my-run', '--sort', '-rhat', '--limit', '2')
    expect(await mcb('my-run', '--sort=-r_hat', '--limit', '2')).toEqual(worst)
    expect(cellsOf(worst.out.split('\n'))[3]?.[0]).toBe('wide[7]')
    expect(worst.out).toMatch(/\n… and 61 more: --limit N, or --all\n$/)
    const { out } = await mcb('my-run', '--var', 'k', '--sort', 'khat', '--columns', 'mean,eti89_lb,r_hat')
    expect(cellsOf(out.trimEnd().split('\n').slice(2))).toEqual([
      ['label', 'mean', 'lb', 'rhat', 'pareto_khat'],
      ['k', '3.00', '3.00', 'constant', 'constant'],
    ])
  })

  test('selects elements, chains, stats and warmup', async () => {
    const args = ['--var', 'wide', '--elem', '3,0:2', '--chain', '2', '--chain', '0', '--warmup', 'only']
    const { out } = await mcb('my-run', ...args, '--columns', 'mean')
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toBe('my-run: 2 chains × 20 draws of warmup; convention posterior')
    expect(cellsOf(lines.slice(1)).map(([label]) => label)).toEqual(['label', 'wide[3]', 'wide[0]', 'wide[1]'])
    const tune = await mcb('my-run', '--stat', 'tune', '--warmup', 'include', '--columns', 'mean')
    expect(cellsOf(tune.out.trimEnd().split('\n')).at(-1)).toEqual(['tune', '0.167'])
  })

  test('has all rows with all digits as CSV and as JSON', async () => {
    const options = { convention: 'arviz', ci: { kind: 'hdi', prob: 0.94 } } as const
    const args = ['my-run', '--convention', 'arviz', '--ci-kind', 'hdi', '--ci-prob', '0.94']
    const expected = await run.summary(options)
    const csv = (await mcb(...args, '--csv')).out.trimEnd().split('\n')
    expect(csv).toHaveLength(WIDE + 4)
    expect(csv[1]).toBe(['mu', '', 'mu', ...(expected.rows[0]?.figures ?? [])].join())
    const hostile = '"a,""b""\u001b[31m"'
    expect(csv.at(-1)?.startsWith(`${hostile},,${hostile},`)).toBe(true)
    expect(parseJson((await mcb(...args, '--json')).out)).toEqual(summaryJson(expected))
    const { nextCursor: _, ...limited } = summaryJson(await run.summary({ limit: 3 }))
    expect(parseJson((await mcb('my-run', '--limit', '3', '--json')).out)).toMatchObject(limited)
  })

  test('does not let names steer the terminal', async () => {
    const { out } = await mcb('my-run', '--all')
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
    expect(out.trimEnd().split('\n')).toHaveLength(WIDE + 6)
  })

  test.each([
    [['my-run', '--columns', 'mean,mode'], 2, /--columns knows the columns mean,sd/],
    [['my-run', '--sort', 'mode'], 2, /--sort knows the columns/],
    [['my-run', '--warmup', 'no'], 2, /--warmup must be exclude or include or only/],
    [['my-run', '--ci-prob', '94'], 2, /--ci-prob must be between 0 and 1/],
    [['my-run', '--limit', '0'], 2, /--limit must be at least 1/],
    [['my-run', '--chain', 'x'], 2, /--chain must be a whole number/],
    [['my-run', '--chain', '9'], 1, /no chain 9/],
    [['my-run', '--var', 'nothing'], 1, /no variable "nothing"/],
    [['my-run', '--elem', '0'], 1, /elements are of one variable/],
    [['none'], 1, /there is no run "none"/],
  ] as const)('%j is refused', async (args, code, sentence) => {
    expect(await mcb(...args)).toMatchObject({ code, out: '', err: expect.stringMatching(sentence) })
  })
})
