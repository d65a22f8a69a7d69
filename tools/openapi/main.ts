/**
 * `npm run test:openapi`: others' tools on docs/openapi.json. A linter reads it; a client that was generated from it works;
 * and what schemathesis makes of it, servers answer as it says.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { run } from '../common/run.ts'
import { runSteps, type Steps } from '../common/steps.ts'
import { goCompiler, linter, pythonTools } from './needs.ts'
import { prepare } from './prepare.ts'
import { startServer } from './server.ts'

const DOCUMENT = resolve('docs/openapi.json')
const PROGRAM = resolve('conformance/openapi/go/main.go')
const FOLDER = import.meta.dirname

/** Steps, each with its purpose. */
const STEPS = {
  lint: ['redocly reads the document by its recommended rules', lint],
  client: ['a Go client that openapi-generator makes of it registers, appends, reads and meets errors', client],
  open: ['schemathesis asks a server without keys', () => ask('open')],
  keys: ['schemathesis asks a server with keys', () => ask('keys')],
} as const satisfies Steps

async function lint(): Promise<void> {
  const command = [process.execPath, await linter(), 'lint', '--config', join(FOLDER, 'redocly.yaml'), DOCUMENT]
  await run([...command, '--max-problems', '1000'], {
    env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  })
}

/** Gives what it is used for a folder that goes when that is done. */
async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-openapi-'))
  await use(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
}

async function client(): Promise<void> {
  const [tools, go] = [await pythonTools(), await goCompiler()]
  await inFolder(async (made) => {
    const names = ['--package-name=mcb', '--git-host=example.org', '--git-user-id=mcb', '--git-repo-id=client']
    const generate = [join(tools, 'openapi-generator-cli'), 'generate', '-g', 'go', '-i', DOCUMENT, '-o', made]
    await run([...generate, ...names], { output: 'when it fails' })
    // Tests that it makes are empty, and want a library.
    rmSync(join(made, 'test'), { recursive: true, force: true })
    cpSync(PROGRAM, join(made, 'check/main.go'))
    const env = { GOFLAGS: '-mod=mod' }
    await run([go, 'vet', '.', './check'], { cwd: made, env })
    // Temporary folders may be such that nothing in them can be started.
    const program = join(tools, 'generated-client')
    await run([go, 'build', '-o', program, './check'], { cwd: made, env })
    const server = await startServer('open')
    await run([program, server.url]).finally(server.stop)
  })
}

async function ask(auth: 'open' | 'keys'): Promise<void> {
  const tools = await pythonTools()
  const server = await startServer(auth)
  try {
    const key = await prepare(server, auth)
    const env = { MCB_KEY: key, MCB_OPERATOR: server.operatorToken, PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: '1' }
    const command = [join(tools, 'schemathesis'), '--config-file', join(FOLDER, 'schemathesis.toml'), 'run', DOCUMENT]
    // Without keys, tenants and keys are managed by nobody: 403, whatever is sent.
    const left = auth === 'open' ? ['--exclude-tag', 'Keys', '--exclude-tag', 'Tenants'] : []
    // Files that it keeps for the next time are of no use: it tries the same each time.
    await inFolder((cwd) => run([...command, '--url', server.url, ...left], { cwd, env, output: 'at its end' }))
  } finally {
    await server.stop()
  }
  if (/defect|Error/.test(server.said())) throw new Error(`the server has met a defect:\n${server.said()}`)
}

process.exit(
  await runSteps(STEPS, process.argv.slice(2), {
    usage: 'usage: npm run test:openapi [-- STEP...]   all steps, or these',
    notes: `Needs Python 3.10 or later, which it installs itself as root of a Debian; without it all but \`lint\` is skipped, except in
CI (CI=true), where that is a failure. All else that is missing comes into tools/openapi/.`,
    // A server waits while its asker computes.
    together: ['open', 'keys'],
    needsAll: process.env.CI === 'true',
  }),
)
