/** Real draws as columns: of posteriordb, and of CmdStan's CSV files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { referenceDraws } from '../../test/support/posteriordb.ts'

const SHARED = process.env.MCB_SHARED_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
/** Files of chains; without those that are damaged on purpose. */
const CMDSTAN = /^(bern|logistic_output|corr_gauss_depth8|multidim_vars)[-_\d]*\.csv$/

/** One variable of one chain. */
export interface Column {
  readonly name: string
  readonly chain: number
  readonly values: Float64Array<ArrayBuffer>
}

/** Data sets by name. @throws Error where there are none */
export function realDraws(): ReadonlyMap<string, readonly Column[]> {
  const sets = new Map<string, readonly Column[]>()
  for (const [name, chains] of Object.entries(referenceDraws() ?? {})) {
    const columns = chains.flatMap((draws, chain) =>
      Object.entries(draws).map(([variable, values]) => ({ name: variable, chain, values: Float64Array.from(values) })),
    )
    sets.set(`posteriordb ${name}`, columns)
  }
  const folder = `${SHARED}/cmdstan`
  for (const file of existsSync(folder) ? readdirSync(folder).filter((name) => CMDSTAN.test(name)) : []) {
    const name = `cmdstan ${file.replace(/[-_]?\d*\.csv$/, '')}`
    const present = sets.get(name) ?? []
    const chain = present.reduce((next, column) => Math.max(next, column.chain + 1), 0)
    sets.set(name, [...present, ...parseCsv(readFileSync(`${folder}/${file}`, 'utf8'), chain)])
  }
  if (sets.size === 0) throw new Error(`${SHARED} has no draws; name their folder in MCB_SHARED_DATA`)
  return sets
}

/** Lines with # are comments; columns with __ at their ends are stats of the sampler. */
function parseCsv(text: string, chain: number): Column[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const rows = lines.map((line) => line.split(','))
  return head.split(',').flatMap((name, i) => {
    if (name.endsWith('__')) return []
    return [{ name, chain, values: Float64Array.from(rows, (row) => Number(row[i])) }]
  })
}
