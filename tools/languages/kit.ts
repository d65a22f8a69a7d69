/** Tasks of the conformance kit: each language's client behind its driver, on a good network and on one that fails. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Missing } from '../common/apt.ts'
import { type Counts, sum } from '../common/counts.ts'
import { installR } from './r.ts'
import { countsOfLine } from './reports.ts'
import { inBuild, outputOf, ROOT, type Task } from './task.ts'

/** Share of requests that fail on the bad network. */
const FAULTS = '0.3'
const DRIVERS = join(ROOT, 'conformance/drivers')

/**
 * Topics of the bad network: those in which a lost answer can lose, double or change a draw. The others are about values,
 * and take as long again; `npm run conform -- --faults 0.3` has them as well.
 */
const OF_FAULTS = [
  'runs',
  'chains and handles',
  'sampler stats',
  'the append table',
  'races',
  'reads during writes',
  'lengths and validation',
  'deletion',
]
const WITH_FAULTS = ['--faults', FAULTS, ...OF_FAULTS.flatMap((topic) => ['--only', topic])]

/** Runs the kit on a driver, on both networks. */
async function conform(
  language: string,
  driver: string,
  env: { readonly [name: string]: string } = {},
): Promise<Counts> {
  const counts: Counts[] = []
  for (const faults of [[], WITH_FAULTS]) {
    const name = `${language}${faults.length > 0 ? ', with faults' : ''}`
    const kit = [process.execPath, 'conformance/kit/main.ts', '--driver', driver, ...faults]
    const { status, text } = await outputOf(kit, { env })
    const found = countsOfLine(text, name)
    console.log(status === 0 ? `${name}: ${explained(text)}` : text)
    counts.push(
      status === 0 || found.failed > 0 ? found : { ...found, failed: 1, failures: [`${name}: status ${status}`] },
    )
  }
  return sum(counts)
}

/** Skips with their reasons, and the counts. */
function explained(text: string): string {
  const at = text.indexOf('\nskipped\n')
  return at === -1 ? (text.trimEnd().split('\n').at(-1) ?? '') : text.slice(at + 1)
}

async function python(): Promise<Counts> {
  const interpreter = join(ROOT, 'clients/python/.venv/bin/python')
  if (!existsSync(interpreter))
    throw new Missing('the environment of the Python package (clients/python/run_tests.py --only-install)')
  return conform('Python', `${interpreter} ${DRIVERS}/python.py`)
}

async function r(): Promise<Counts> {
  return conform('R', `Rscript ${DRIVERS}/r.R`, { R_LIBS: await installR() })
}

export const KIT_TASKS = {
  'kit-typescript': {
    what: 'the conformance kit on the TypeScript client',
    run: () => conform('TypeScript', `${process.execPath} ${DRIVERS}/typescript.ts`),
  },
  'kit-python': { what: 'the conformance kit on the Python client', run: python },
  'kit-cpp': {
    what: 'the conformance kit on the C++ client',
    after: ['cpp-library'],
    run: () => conform('C++', inBuild('cpp-plain', 'conformance/mcbackend_conformance_driver')),
  },
  'kit-r': { what: 'the conformance kit on the R client', after: ['r'], run: r },
} as const satisfies Record<string, Task>
