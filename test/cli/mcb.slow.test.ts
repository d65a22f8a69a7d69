/** `mcb` as a process in front of a server: finding, naming, reading, watching and moving runs, and its exit codes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { expectSame } from '../support/moved.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { openServer, openStalling, type TestServer } from './served.ts'

const MCB = fileURLToPath(new URL('../../bin/mcb.mjs', import.meta.url))
const HOSTILE = 'Eight\u001b[31m \u202eschools\u0000 <b>x</b>\n\u009b2J'

let folder: string
let server: TestServer
let other: TestServer
let backend: HttpBackend

beforeAll(async () => {
  folder = newFolder()
  server = await openServer()
  other = await openServer()
  backend = new HttpBackend({ url: server.url })
  const run = await backend.initRun({
    rid: 'schools',
    variables: [
      { name: 'mu', dtype: 'float64' },
      { name: 'theta', dtype: 'float64', shape: [3], dims: ['school'] },
      { name: 'k', dtype: 'int64', shape: [-1] },
      { name: 's', dtype: 'str' },
    ],
    sampleStats: [{ name: 'tune', dtype: 'bool' }],
    coordinates: [
      {
        name: 'school',
        values: {
          dtype: '<U2',
          shape: [3],
          data: new TextEncoder().encode('A\0\0\0x\0\0\0B\0\0\0\0\0\0\0C\0\0\0\0\0\0\0'),
        },
      },
    ],
  })
  for (const number of [0, 4]) {
    const chain = await run.initChain(number)
    for (let i = 0; i < 50; i++) {
      const draw = {
        mu: i / 3,
        theta: new Float64Array([i, -i, Number.NaN]),
        k: { dtype: 'int64', shape: [2], data: new BigInt64Array([2n ** 60n, 1n]) },
        s: i === 49 ? HOSTILE : `a,"${i}"`,
      } as const
      await chain.append(draw, { tune: i < 10 })
    }
    await chain.close()
  }
  await run.setAbout({
    name: HOSTILE,
    tags: ['paper'],
    notes: `first\nsecond ${HOSTILE}`,
    facts: { seed: 12345678901234567890n },
  })
  await backend.initRun({ rid: 'plain', variables: [{ name: 'x', dtype: 'float64' }] })
}, 120_000)
afterAll(async () => {
  await server.close()
  await other.close()
  removeFolder(folder)
})

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(args: readonly string[], url = server.url): ChildProcess {
  const { MCB_TOKEN: _, ...env } = process.env
  return spawn(process.execPath, [MCB, ...args], {
    cwd: folder,
    env: { ...env, MCB_URL: url, MCB_PROFILE: join(folder, 'profile.json') },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

async function ended(child: ChildProcess, input = ''): Promise<Ended> {
  const said = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  child.stdin?.end(input)
  const [code] = await once(child, 'close')
  return { code, ...said }
}

const mcb = (args: readonly string[], input?: string, url?: string) => ended(start(args, url), input)

/** Output that no terminal obeys: of what is unseen, line ends alone. */
function expectHarmless(text: string): void {
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
}

describe('help and arguments', () => {
  test('without arguments it is the help, and `runs` is the list', async () => {
    expect(await mcb([])).toMatchObject({ code: 0, out: expect.stringMatching(/^mcb: runs, keys/) })
    const [runs, list] = [await mcb(['runs']), await mcb(['runs', 'list'])]
    expect(runs).toMatchObject({ code: 0, out: expect.stringContaining('schools') })
    expect(list.out).toBe(runs.out)
  })

  test('every command has help with an example that names it', () => {
    for (const { usage, about, examples } of COMMANDS) {
      const [word = ''] = usage.split(' ')
      expect(about.length, usage).toBeGreaterThan(10)
      expect(examples.length, usage).toBeGreaterThan(0)
      for (const example of examples) expect(example.startsWith(word), usage).toBe(true)
    }
  })

  test.each([
    [['rusn'], /did you mean "mcb runs"\?/],
    [['runs', 'exprot', 'x'], /did you mean "mcb runs export"\?/],
    [['runs', 'list', '--tga', 'x'], /did you mean --tag\?/],
    [['draws', 'schools', '--vra', 'mu'], /did you mean --var\?/],
    [['runs', 'show'], /usage: mcb runs show RID/],
    [['runs', 'export', 'schools'], /-o FILE/],
    [['runs', 'list', '--limit', 'many'], /--limit must be/],
    [['runs', 'list', '--attr', 'model'], /KEY=VALUE/],
    [['draws', 'schools'], /--var NAME/],
    [['runs', 'name', 'schools'], /give a name, or --clear/],
    [['login', '--url', 'http://127.0.0.1:1', '--key', 'mcb_x_y'], /standard input/],
    [['runs', 'note', 'schools'], /--clear/],
  ])(
    '%j: exit code 2, and one sentence',
    async (args, says) => {
      const { code, out, err } = await mcb(args)
      expect([code, out]).toEqual([2, ''])
      expect(err).toMatch(says)
      expect(err.trim().split('\n')).toHaveLength(1)
    },
    60_000,
  )

  test('a failure is exit code 1, and harmless', async () => {
    const missing = await mcb(['runs', 'show', 'absent'])
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('"mcb runs" lists')])
    const named = await mcb(['draws', 'schools', '--var', HOSTILE.replaceAll('\0', '')])
    expect(named.code).toBe(1)
    expectHarmless(named.err)
    const nowhere = await mcb(['runs'], '', 'http://127.0.0.1:1')
    expect([nowhere.code, nowhere.err]).toEqual([1, expect.stringContaining('cannot be reached')])
  })
})

describe('runs', () => {
  test('found by name, tag, and time', async () => {
    const rids = async (...args: string[]) => {
      const { code, out, err } = await mcb(['runs', 'list', '--json', ...args])
      expect(code, err).toBe(0)
      return JSON.parse(out).runs.map(({ rid }: { rid: string }) => rid)
    }
    expect(await rids('--q', 'EIGHT')).toEqual(['schools'])
    expect(await rids('--tag', 'paper', '--since', '1h')).toEqual(['schools'])
    expect(await rids('--until', '2020-01-01')).toEqual([])
    expect(await rids('--limit', '1')).toEqual(['plain'])
  })

  test('shown with all that is said of them, which steers no terminal', async () => {
    for (const args of [
      ['runs'],
      ['runs', 'show', 'schools'],
      ['runs', '--json'],
      ['runs', 'show', 'schools', '--json'],
      ['draws', 'schools', '--var', 's'],
      ['runs', 'tag', 'schools'],
    ]) {
      const { code, out, err } = await mcb(args)
      expect([code, err], args.join(' ')).toEqual([0, ''])
      expectHarmless(out)
    }
    const { out } = await mcb(['runs', 'show', 'schools'])
    expect(out).toContain('Eight\\u001b[31m \\u202eschools')
    expect(out).toMatch(/seed +12345678901234567890/)
    expect((await mcb(['runs', 'show', 'schools', '--json'])).out).toContain('"seed": 12345678901234567890')
  })

  test('named, tagged, noted and archived', async () => {
    expect((await mcb(['runs', 'name', 'plain', 'A name'])).out).toMatch(/name +A name/)
    const [one, two] = [
      mcb(['runs', 'tag', 'plain', '--add', 'a', '--add', 'b']),
      mcb(['runs', 'tag', 'plain', '--add', 'c']),
    ]
    for (const { code, err } of [await one, await two]) expect([code, err]).toEqual([0, ''])
    expect((await mcb(['runs', 'tag', 'plain', '--remove', 'b'])).code).toBe(0)
    expect((await mcb(['runs', 'note', 'plain'], 'from stdin\n')).code).toBe(0)
    expect((await mcb(['runs', 'note', 'plain', 'more', '--append'])).code).toBe(0)
    expect((await mcb(['runs', 'archive', 'plain'])).code).toBe(0)
    const run = await backend.getRun('plain')
    expect(await run?.about()).toMatchObject({ name: 'A name', notes: 'from stdin\nmore', archived: true })
    expect([...((await run?.about())?.tags ?? [])].sort()).toEqual(['a', 'c'])
    expect((await mcb(['runs'])).out).not.toContain('plain')
    for (const args of [
      ['archive', 'plain', '--undo'],
      ['name', 'plain', '--clear'],
      ['note', 'plain', '--clear'],
    ]) {
      expect((await mcb(['runs', ...args])).code).toBe(0)
    }
    expect(await run?.about()).toMatchObject({ name: null, notes: null, archived: false })
  }, 120_000)
})

describe('draws', () => {
  test('a table of the last ones, with the labels of their elements', async () => {
    const { out } = await mcb(['draws', 'schools', '--var', 'theta', '--var', 'k', '--stat', 'tune'])
    const lines = out.trim().split('\n')
    expect(lines).toHaveLength(21)
    expect(lines[0]).toMatch(/^CHAIN +DRAW +theta\[Ax\] +theta\[B\] +theta\[C\] +k +tune$/)
    expect(lines[20]).toMatch(/^ +0 +49 +49 +-49 +NaN +\[2\] 1152921504606846976 1 +no$/)
  })

  test('slices, elements, and chains', async () => {
    const { out } = await mcb([
      'draws',
      'schools',
      '--var',
      'theta',
      '--elem',
      '1',
      '--start',
      '-1',
      '--step',
      '-20',
      '--chain',
      '4',
    ])
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ +/)),
    ).toEqual([
      ['CHAIN', 'DRAW', 'theta[B]'],
      ['4', '49', '-49'],
      ['4', '29', '-29'],
      ['4', '9', '-9'],
    ])
  })

  test('all of them as CSV', async () => {
    const { out } = await mcb([
      'draws',
      'schools',
      '--var',
      'mu',
      '--var',
      's',
      '--chain',
      'all',
      '--stop',
      '49',
      '--csv',
    ])
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(99)
    expect(lines.slice(0, 3)).toEqual(['chain,draw,mu,s', '0,0,0,"a,""0"""', `0,1,${1 / 3},"a,""1"""`])
  })
})

describe('watch', () => {
  test('lines of the chains that grow, until the run is deleted', async () => {
    const run = await backend.initRun({ rid: 'growing', variables: [{ name: 'x', dtype: 'float64' }] })
    const chain = await run.initChain(0)
    const child = start(['watch', 'growing'])
    const over = ended(child)
    let seen = ''
    child.stdout?.on('data', (text: string) => (seen += text))
    await expect.poll(() => seen).toMatch(/chain 0 +0 draws/)
    for (let i = 0; i < 30; i++) await chain.append({ x: i })
    await chain.close()
    await expect.poll(() => seen).toMatch(/chain 0 +30 draws +\d+\.\d\/s +growing/)
    await backend.deleteRun('growing')
    const { code, out } = await over
    expect([code, out]).toEqual([0, expect.stringContaining('run growing is deleted\n')])
  }, 120_000)

  test('with --until-done, it ends when the facts say so; and with a signal', async () => {
    const run = await backend.initRun({ rid: 'finishing', variables: [{ name: 'x', dtype: 'float64' }] })
    const chain = await run.initChain(0)
    const over = ended(start(['watch', 'finishing', '--until-done']))
    const stopped = start(['watch', 'finishing'])
    const end = once(stopped, 'exit')
    await once(stopped.stdout ?? stopped, 'data')
    stopped.kill('SIGINT')
    expect(await end).toEqual([null, 'SIGINT'])
    await chain.append({ x: 1 })
    await chain.close()
    await run.setAbout({ facts: { finishedAt: '2026-11-28T12:00:00Z' } })
    expect(await over).toMatchObject({ code: 0, out: expect.stringMatching(/chain 0 +1 draws.*done/) })
  }, 120_000)
})

describe('archives', () => {
  test('through a file, and through a pipe', async () => {
    expect(await mcb(['runs', 'export', 'schools', '-o', 'schools.mcb'])).toMatchObject({ code: 0, err: '' })
    expect((await mcb(['runs', 'export', 'schools', '-o', 'schools.mcb'])).err).toContain('is there already')
    expect(await mcb(['runs', 'import', 'schools.mcb'], '', other.url)).toMatchObject({ code: 0, err: '' })
    await expectSame(server.url, other.url, 'schools')
    const out = start(['runs', 'export', 'schools', '-o', '-'])
    const into = start(['runs', 'import', '-', '--as', 'piped'], other.url)
    if (out.stdout === null || into.stdin === null) throw new Error('a pipe is missing')
    out.stdout.pipe(into.stdin)
    const [code] = await once(into, 'close')
    expect(code).toBe(0)
    await expectSame(server.url, other.url, 'schools', 'piped')
    writeFileSync(join(folder, 'cut.mcb'), readFileSync(join(folder, 'schools.mcb')).subarray(0, 900))
    const cut = await mcb(['runs', 'import', 'cut.mcb', '--as', 'cut'], '', other.url)
    expect([cut.code, cut.err]).toEqual([1, expect.stringMatching(/^mcb: the archive is cut off in record \d+/)])
  }, 120_000)

  test('an export and an import that are killed go on where they were', async () => {
    const run = await backend.initRun({ rid: 'large', variables: [{ name: 'x', dtype: 'float64', shape: [1000] }] })
    const data = new Float64Array(4000 * 1000).map((_, i) => Math.sin(i))
    for (const number of [0, 1]) {
      const chain = await run.initChain(number)
      await chain.appendBatch({ count: 4000, draws: new Map([['x', { dtype: 'float64', shape: [4000, 1000], data }]]) })
    }
    const path = join(folder, 'large.mcb')
    const source = await openStalling(server.url, 5)
    const exporting = start(['runs', 'export', 'large', '-o', path], source.url)
    const written = () => (existsSync(`${path}.part`) ? statSync(`${path}.part`).size : 0)
    // A whole record of draws, of 4 MiB, and a part of the next one.
    await expect.poll(written).toBeGreaterThan(5e6)
    exporting.kill('SIGKILL')
    await once(exporting, 'close')
    await source.close()
    expect(existsSync(path)).toBe(false)
    const { code, out, err } = await mcb(['runs', 'export', 'large', '-o', path])
    expect([code, err, out]).toEqual([0, '', expect.stringContaining('MiB were there')])
    const target = await openStalling(other.url, 5)
    const importing = start(['runs', 'import', path], target.url)
    const elsewhere = new HttpBackend({ url: other.url })
    const length = async () => (await (await elsewhere.getRun('large'))?.getChain(0))?.length()
    await expect.poll(length).toBeGreaterThan(500)
    importing.kill('SIGKILL')
    await once(importing, 'close')
    await target.close()
    expect(await length()).toBeLessThan(4000)
    expect(await mcb(['runs', 'import', path], '', other.url)).toMatchObject({
      code: 0,
      out: expect.stringContaining('8000 draws in 2 chains'),
    })
    await expectSame(server.url, other.url, 'large')
  }, 180_000)
})
