/** The virtual environments of the readers, beside this file, and what else of this machine they use. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromApt, Missing } from '../common/apt.ts'
import { run } from '../common/run.ts'

const FOLDER = import.meta.dirname
const PACKAGE = resolve(FOLDER, '../../clients/python')
const TRIES = 3
/** Pause before pip is tried again, in milliseconds. */
const PAUSE = 10_000

/** An environment, with its Python and the Python package's own environment, if its libraries serve here as well. */
interface Environment {
  readonly python: string
  readonly lends: string
  readonly has: string
  /** Arguments for pytest: what differs there from other environments, so that nothing is tried twice. */
  readonly tests: readonly string[]
}

export const ENVIRONMENTS = {
  '3.13': { python: '3.13', lends: '.venv-3.13', has: 'the newest releases of all readers', tests: [] },
  '3.11': {
    python: '3.11',
    lends: '.venv',
    has: 'ArviZ 0.23, zarr 3.1 and cmdstanpy',
    tests: [
      ...filesOf('reference', 'zarr', 'netcdf', 'stan', 'docs'),
      '-k',
      'not (rstan or ncdf4 or h5dump or at_rest or obstore or example) or arviz-0 or cmdstanpy',
    ],
  },
  'zarr-3.0': {
    python: '3.13',
    lends: '.venv-3.13',
    has: 'zarr 3.0',
    tests: [...filesOf('reference', 'zarr'), '-k', 'not arviz'],
  },
} as const satisfies Record<string, Environment>
export type EnvironmentName = keyof typeof ENVIRONMENTS

function filesOf(...names: readonly string[]): readonly string[] {
  return names.map((name) => `test_${name}.py`)
}

const folderOf = (name: EnvironmentName) => join(FOLDER, `.venv-${name}`)

/** The Python of an environment that is installed. */
export const pythonOf = (name: EnvironmentName) => join(folderOf(name), 'bin/python')

/** Installs what an environment lacks. @throws Missing, and Error when pip fails again and again */
export async function install(name: EnvironmentName): Promise<void> {
  const { python, lends } = ENVIRONMENTS[name]
  const requirements = join(FOLDER, `requirements-${name}.txt`)
  const lender = join(PACKAGE, lends)
  const marker = join(folderOf(name), '.setup')
  const wanted = digestOf([requirements, join(lender, 'installed.sha256'), import.meta.filename])
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  const interpreter = findPython(python)
  if (interpreter === undefined) throw new Missing(`Python ${python} with venv`)
  console.log(`Installing readers for Python ${python} (${ENVIRONMENTS[name].has}) …`)
  await run([interpreter, '-m', 'venv', '--clear', folderOf(name)])
  // Behind the environment's own: pip installs here whatever is not there in the release that is wanted.
  const lent = [`${lender}/lib/python${python}/site-packages`, join(PACKAGE, 'src')].filter((path) => existsSync(path))
  writeFileSync(join(folderOf(name), `lib/python${python}/site-packages/lent.pth`), `${lent.join('\n')}\n`)
  await pip(name, requirements)
  writeFileSync(marker, wanted)
}

async function pip(name: EnvironmentName, requirements: string): Promise<void> {
  const options = ['--quiet', '--disable-pip-version-check', '--no-input', '-r', requirements]
  for (let tried = 1; ; tried++) {
    try {
      // Its words about lent packages that want other releases are of no concern here.
      return await run([pythonOf(name), '-m', 'pip', 'install', ...options], { output: 'when it fails' })
    } catch (error) {
      if (tried === TRIES) throw error
      console.log(`pip has failed for ${name}, and is tried again`)
      await sleep(PAUSE)
    }
  }
}

/** A Python of this version, of those on the path and of pyenv. */
function findPython(version: string): string | undefined {
  const check = `import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '${version}')`
  const root = process.env.PYENV_ROOT ?? join(homedir(), '.pyenv')
  return [`python${version}`, ...globSync(join(root, `versions/${version}.*/bin/python`))].find(
    (name) => spawnSync(name, ['-c', check], { stdio: 'ignore' }).status === 0,
  )
}

/** Tools of Debian, which tests skip by name where they are not there. */
export async function installTools(): Promise<void> {
  const packages = ['hdf5-tools', 'r-cran-posterior', 'r-cran-rstan', 'r-cran-ncdf4']
  if (hasTools() === undefined) await fromApt(packages, hasTools)
}

/** True if all are there. */
function hasTools(): true | undefined {
  const libraries = 'quit(status = !all(sapply(c("posterior", "rstan", "ncdf4"), requireNamespace, quietly = TRUE)))'
  const isWell = (command: string, ...args: readonly string[]) =>
    spawnSync(command, args, { stdio: 'ignore' }).status === 0
  return isWell('h5dump', '--version') && isWell('Rscript', '-e', libraries) ? true : undefined
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(existsSync(path) ? readFileSync(path) : 'absent').update('\0')
  return hash.digest('hex')
}
