/** Eight schools as samplers of ours and of PyMC draw them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Form, registerRun, sampleRun } from '../../../../examples/eight-schools/run.ts'
import type { AboutPatch, HttpBackend } from '../../../../src/client/index.ts'
import { FINISHED } from './writing.ts'

export interface Schools {
  readonly rid: string
  readonly form?: Form
  readonly chains?: number
  readonly warmup?: number
  readonly draws?: number
  readonly seed?: number
  readonly about?: AboutPatch
}

/** A whole run; the centered form diverges in the neck of its funnel. */
export async function sampled(
  backend: HttpBackend,
  { rid, form = 'centered', chains = 4, warmup = 300, draws = 500, seed = 20, about = { facts: FINISHED } }: Schools,
): Promise<void> {
  const run = await registerRun(backend, { rid, form, seed })
  await run.setAbout(about)
  await sampleRun(run, { form, chains, warmup, draws, seed, target: 0.8 })
}

export interface Sampling {
  stop(): Promise<void>
}

/** A run that grows at this pace until it is stopped. */
export async function sampling(
  backend: HttpBackend,
  {
    rid,
    form = 'centered',
    chains = 4,
    warmup = 100,
    seed = 20,
    about = {},
    perSecond = 40,
  }: Schools & { perSecond?: number },
): Promise<Sampling> {
  const run = await registerRun(backend, { rid, form, seed })
  await run.setAbout(about)
  const ended = new AbortController()
  const options = { form, chains, warmup, draws: 1e9, seed, perSecond, target: 0.8, signal: ended.signal }
  const done = sampleRun(run, options)
  // Met by whoever stops it.
  done.catch(() => undefined)
  return {
    stop: async () => {
      ended.abort()
      await done
    },
  }
}

const PACKAGE = fileURLToPath(new URL('../../../../clients/python/', import.meta.url))

/** A Python with the project's package, as its tests install it, and PyMC; undefined where there is none. */
export function pythonOfPackage(): string | undefined {
  const given = process.env.MCB_PAGE_PYTHON
  return [given, ...['.venv-3.13', '.venv', '.venv-3.12'].map((name) => `${PACKAGE}${name}/bin/python`)].find(
    (path) => path !== undefined && existsSync(path),
  )
}

export const NO_PYTHON =
  pythonOfPackage() === undefined
    ? 'there is no Python with the package: `python clients/python/run_tests.py --only-install` makes one'
    : undefined

/** PyMC samples eight schools, centered, slowly enough to be seen; `rid` is the run's. */
export function sampleWithPyMC(url: string, rid: string): Program {
  return python([fileURLToPath(new URL('eight_schools.py', import.meta.url)), url, rid])
}

export interface Program {
  /** Rejects with all that it has said when it fails. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** A program of Python that is ended with the test. */
export function python(args: readonly string[]): Program {
  const child: ChildProcess = spawn(pythonOfPackage() ?? 'python', [...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-5000)
    })
  }
  let isStopped = false
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0 || isStopped) resolve()
      else reject(new Error(`Python ended with ${code}: ${said}`))
    })
  })
  // Met by whoever waits for it.
  ended.catch(() => undefined)
  return {
    ended,
    stop: async () => {
      isStopped = true
      child.kill('SIGTERM')
      await ended
    },
  }
}
