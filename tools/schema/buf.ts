/** buf, the compiler and judge of protobuf schemas: installed from the lock beside this file, and run. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../common/run.ts'

const FOLDER = import.meta.dirname
const BIN = join(FOLDER, 'node_modules/@bufbuild/buf/bin/buf')
export const CONFIG = join(FOLDER, 'buf.yaml')

export interface Answer {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Installs buf where it is missing or another one. */
export async function installBuf(): Promise<void> {
  const marker = join(FOLDER, 'node_modules/.setup')
  const lock = createHash('sha256')
    .update(readFileSync(join(FOLDER, 'package-lock.json')))
    .digest('hex')
  if (existsSync(marker) && readFileSync(marker, 'utf8') === lock) return
  console.log('Installing buf (90 MB) …')
  const flags = ['install', '--no-save', '--no-fund', '--no-audit', '--ignore-scripts', '--loglevel=error']
  const npm = process.env.npm_execpath
  await run(npm === undefined ? ['npm', ...flags] : [process.execPath, npm, ...flags], { cwd: FOLDER })
  writeFileSync(marker, lock)
}

/** Asks buf in a folder that has `protobufs/`. */
export function ask(cwd: string, ...args: readonly string[]): Answer {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [BIN, ...args], { cwd, encoding: 'utf8' })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}

/** Asks buf, and gives the output. @throws Error with its objections, if it has any */
export function demand(cwd: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = ask(cwd, ...args)
  if (status !== 0) throw new Error(`buf ${args.join(' ')} says:\n${stdout}${stderr}`)
  return stdout
}
