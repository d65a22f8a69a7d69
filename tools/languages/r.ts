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
}

/** The library of R into which the package is installed, for the conformance driver. */
export const R_LIBRARY = inBuild('r-library')

async function expectWell(command: readonly string[], cwd: string): Promise<string> {
  const { status, text } = await outputOf(command, { cwd, env: ENV })
  if (status !== 0) throw new Error(`${command.join(' ')} failed\n${text}`)
  return text
}

async function check(): Promise<Counts> {
  await require('R with its packages')
  const folder = inBuild('r')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(R_LIBRARY, { recursive: true })
  mkdirSync(folder, { recursive: true })
  cpSync(join(ROOT, 'clients/r'), join(folder, 'mcbackend.edge'), { recursive: true })
  await expectWell(['R', 'CMD', 'build', 'mcbackend.edge'], folder)
  const [archive = ''] = globSync('mcbackend.edge_*.tar.gz', { cwd: folder })
  await expectWell(['R', 'CMD', 'INSTALL', `--library=${R_LIBRARY}`, archive], folder)
  const { status, text } = await outputOf(['R', 'CMD', 'check', '--no-manual', archive], { cwd: folder, env: ENV })
  const said = globSync('mcbackend.edge.Rcheck/tests/testthat.Rout*', { cwd: folder })
    .map((path) => readFileSync(join(folder, path), 'utf8'))
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
  if (!existsSync(join(R_LIBRARY, 'mcbackend.edge'))) {
    mkdirSync(R_LIBRARY, { recursive: true })
    await expectWell(['R', 'CMD', 'INSTALL', '--no-docs', `--library=${R_LIBRARY}`, join(ROOT, 'clients/r')], ROOT)
  }
  return R_LIBRARY
}

export const R_TASKS = {
  r: { what: 'R CMD check, with the tests on a server', run: check },
} as const satisfies Record<string, Task>
