/** The lines in shell of README.md and docs/protocol.md that use the API: they run as they are, against a server. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { startServer } from '../support/process.ts'
import { testUnless } from '../support/skip.ts'

const ADDRESS = 'http://127.0.0.1:8787'

function withoutCurl(): string | undefined {
  try {
    const [, major = 0, minor = 0] =
      /^curl (\d+)\.(\d+)/.exec(
        execFileSync('curl', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      ) ?? []
    return Number(major) * 1000 + Number(minor) >= 7082 ? undefined : 'its curl is older than 7.82'
  } catch {
    return 'this machine has no curl'
  }
}

/** The first block in shell below a heading. */
function linesOf(page: string, heading: string): string {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  const [, block] = /```sh\n([\s\S]*?)```/.exec(text.split(`\n## ${heading}\n`)[1] ?? '') ?? []
  if (block === undefined) throw new Error(`${page} has no lines below "${heading}"`)
  return block
}

/** Runs lines one after the other in one shell, and gives what each of them has printed. */
function run(lines: string, url: string): string[] {
  const mark = '\n--\n'
  const script = lines.replaceAll(/\n(?!$)/g, `\nprintf '${mark.replaceAll('\n', '\\n')}'\n`).replaceAll(ADDRESS, url)
  const environment = { ...process.env, http_proxy: '', HTTP_PROXY: '', no_proxy: '127.0.0.1' }
  return execFileSync('sh', ['-eu', '-c', script], {
    encoding: 'utf8',
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).split(mark)
}

testUnless(withoutCurl())('the API in five lines, and JSON in', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-readme-'))
  const server = await startServer({ MCB_DATA_DIR: folder, MCB_LOG: 'quiet' })
  try {
    const chain = expect.stringMatching(/^\{"chain":0,"length":0,"updatedAt":"[^"]+"\}$/)
    const answer = '{"start":1,"count":1,"step":1,"draws":{"theta":[[0,0,0,0,0,0,0,0.5]]},"stats":{}}'
    const readme = linesOf('README.md', 'The API in five lines')
    expect(readme).not.toContain('\\')
    expect(run(readme, server.url)).toEqual(['', '', chain, '{"chain":0,"length":2}', answer, ''])
    expect(readFileSync(new URL('../../README.md', import.meta.url), 'utf8')).toContain(`answers \`${answer}\``)
    const protocol = run(linesOf('docs/protocol.md', '10. JSON in'), server.url)
    expect(protocol).toEqual(['', chain, '{"chain":0,"length":2}'])
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
