/** Tasks of this tool: what each tests and waits for, and what comes of it. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Counts } from '../common/counts.ts'
import { run } from '../common/run.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
/** Builds and environments, which outlive a run: what has not changed is not compiled again. */
export const BUILD = join(ROOT, 'build/languages')

export interface Task {
  readonly what: string
  /** Tasks whose results it uses. */
  readonly after?: readonly string[]
  /** @throws Missing, and Error when a command fails */
  run(): Promise<Counts>
}

/** A task without tests of its own is one test. */
export const ONE: Counts = { passed: 1, failed: 0, skipped: 0, failures: [] }

/** Environment of programs that start a server of this checkout. */
export const SERVER_ENV = { MCB_CHECKOUT: ROOT, MCB_NODE: process.execPath } as const

export function inBuild(...names: readonly string[]): string {
  const path = join(BUILD, ...names)
  mkdirSync(dirname(path), { recursive: true })
  return path
}

/** Runs a command whose output is of interest only when it fails. */
export function quietly(command: readonly string[], env: { readonly [name: string]: string } = {}): Promise<void> {
  return run(command, { cwd: ROOT, env, output: 'when it fails' })
}

/** Output and status of a command that tells by both of what it has found. */
export async function outputOf(
  [program = '', ...args]: readonly string[],
  options: { readonly env?: { readonly [name: string]: string }; readonly cwd?: string } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const child = spawn(program, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill()
  process.once('exit', kill)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
  }
  const { promise, resolve: settle, reject } = Promise.withResolvers<number>()
  child.once('error', reject)
  child.once('close', (status) => settle(status ?? 1))
  const status = await promise.finally(() => process.off('exit', kill))
  return { status, text }
}
