/** Runs that others have published: posteriordb's reference draws, and output of CmdStan, read in place. */
import { existsSync, readFileSync } from 'node:fs'
import type { HttpBackend } from '../../../../src/client/index.ts'
import { referenceDraws } from '../../../support/posteriordb.ts'
import { SHARED_DATA } from '../../../support/shared.ts'
import { FINISHED, write } from './writing.ts'

export const NO_DATA = existsSync(SHARED_DATA) ? undefined : `there is no data of others at ${SHARED_DATA}`

/** Ten chains of 1,000 draws of eight schools, by Stan. */
export async function posteriordb(backend: HttpBackend, rid: string): Promise<void> {
  const chains = referenceDraws()?.['eight_schools-eight_schools_noncentered'] ?? []
  const [first = {}] = chains
  const names = Object.keys(first)
  await write(backend, {
    meta: { rid, variables: names.map((name) => ({ name, dtype: 'float64' })) },
    about: { name: 'eight_schools_noncentered (posteriordb)', tags: ['reference'], facts: FINISHED },
    chains: chains.length,
    draws: first[names[0] ?? '']?.length ?? 0,
    draw: (chain, i) => [Object.fromEntries(names.map((name) => [name, chains[chain]?.[name]?.[i] ?? Number.NaN]))],
  })
}

export interface CsvFile {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly number[])[]
  /** All lines as they are. */
  readonly lines: readonly string[]
}

/** A CSV file of CmdStan: its header, comments in between, and rows. */
export function readCsv(name: string): CsvFile {
  const lines = readFileSync(`${SHARED_DATA}/cmdstan/${name}`, 'utf8').split('\n')
  const [head = '', ...body] = lines.filter((line) => line !== '' && !line.startsWith('#'))
  return { columns: head.split(','), rows: body.map((line) => line.split(',').map(Number)), lines }
}

/** Four chains of a logistic regression, with the sampler's own columns as stats. */
export async function cmdstan(backend: HttpBackend, rid: string): Promise<void> {
  const files = [1, 2, 3, 4].map((chain) => readCsv(`logistic_output_${chain}.csv`))
  const columns = files[0]?.columns ?? []
  const isStat = (name: string) => name.endsWith('__')
  const dtypeOf = (name: string) => (name === 'divergent__' ? 'bool' : 'float64')
  const specs = columns.map((name) => ({ name, dtype: dtypeOf(name) }))
  await write(backend, {
    meta: {
      rid,
      variables: specs.filter(({ name }) => !isStat(name)),
      sampleStats: specs.filter(({ name }) => isStat(name)),
    },
    about: { name: 'Logistic regression (CmdStan)', facts: FINISHED },
    chains: files.length,
    draws: Math.min(...files.map(({ rows }) => rows.length)),
    draw: (chain, i) => {
      const row = files[chain]?.rows[i] ?? []
      const values = columns.map(
        (name, at) => [name, dtypeOf(name) === 'bool' ? row[at] === 1 : (row[at] ?? Number.NaN)] as const,
      )
      return [
        Object.fromEntries(values.filter(([name]) => !isStat(name))),
        Object.fromEntries(values.filter(([name]) => isStat(name))),
      ]
    },
  })
}
