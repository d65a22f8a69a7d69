/** The task of the R package: `R CMD check` as CRAN does it, with the tests on a server of this checkout. */
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Counts } from '../common/counts.ts'
import { require } from './needs.ts'
import { countsOfTestthat } from './reports.ts'
import { inBuild, outputOf, ROOT, SERVER_ENV, type Task } from './task.ts'

/** Locale and language of the messages that are read; no look at what the network has. */
const ENV = {
  ...SERVER_ENV,
  LANG: 'C.UTF-8',
  LANGUAGE: 'en',
  _R_CHECK_FORCE_SUGGESTS_: 'false',
  _R_CHECK_CRAN_INCOMING_: 'false',
  NOT_CRAN: 'true',
  R_MAKEVARS_USER: join(import.meta.dirname, 'Makevars'),
}

const FOLDER = inBuild('r')
/** Libraries of R that may hold the package: that of `R CMD check`, and one for the conformance driver where there was none. */
const LIBRARIES = [join(FOLDER, 'mcbackend.edge.Rcheck'), inBuild('r-library')] as const

async function expectWell(command: readonly string[], cwd: string): Promise<string> {
  const { status, text } = await outputOf(command, { cwd, env: ENV })
  if (status !== 0) throw new Error(`${command.join(' ')} failed\n${text}`)
  return text
}

async function check(): Promise<Counts> {
  await require('R with its packages')
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  cpSync(join(ROOT, 'clients/r'), join(FOLDER, 'mcbackend.edge'), { recursive: true })
  // This builds the vignette, and fails where it cannot: the check does not do so again.
  await expectWell(['R', 'CMD', 'build', 'mcbackend.edge'], FOLDER)
  const [archive = ''] = globSync('mcbackend.edge_*.tar.gz', { cwd: FOLDER })
  const command = ['R', 'CMD', 'check', '--no-manual', '--no-build-vignettes', archive]
  const { status, text } = await outputOf(command, { cwd: FOLDER, env: ENV })
  const said = globSync('mcbackend.edge.Rcheck/tests/testthat.Rout*', { cwd: FOLDER })
    .map((path) => readFileSync(join(FOLDER, path), 'utf8'))
    .join('')
  if (status !== 0 || /^Status:.*(ERROR|WARNING)/m.test(text)) console.error(text, said.slice(-20_000))
  for (const [line] of text.matchAll(/^(?:Status: .*|\* checking .*(?:NOTE|WARNING|ERROR))$/gm))
    console.log(`R: ${line}`)
  const counts = countsOfTestthat(said, 'R')
  // A warning of `R CMD check` ends with status 0.
  const isWell = status === 0 && !/^Status:.*WARNING/m.test(text)
  return isWell || counts.failed > 0 ? counts : { ...counts, failed: 1, failures: ['R: R CMD check'] }
}

/** The package where the check has installed it; installs it where it has not. */
export async function installR(): Promise<string> {
  await require('R with its packages')
  const found = LIBRARIES.find((library) => existsSync(join(library, 'mcbackend.edge')))
  if (found !== undefined) return found
  const [, library] = LIBRARIES
  mkdirSync(library, { recursive: true })
  await expectWell(['R', 'CMD', 'INSTALL', '--no-docs', `--library=${library}`, join(ROOT, 'clients/r')], ROOT)
  return library
}

export const R_TASKS = {
  r: { what: 'R CMD check, with the tests on a server', run: check },
} as const satisfies Record<string, Task>
