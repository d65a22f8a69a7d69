/** Chains whose draws the journal may have, as the index knows them at a start. */
import { numberIn, type Program, type Row, textIn } from '../../sql/program.ts'
import { type ChainRow, chainAsFound, chainIn, chainsWithIds, isChainIntact } from '../sqlite/chain.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import type { RecoveredChain } from './index-calls.ts'

/** Chains that are longer than what is folded; the others are found by their ids. */
const LONGER_SQL = 'SELECT id FROM chains WHERE number >= 0 AND length > folded AND tail_rows = 0'
const RUNS_SQL = 'SELECT id, tenant, registration, deleted FROM runs WHERE id IN (SELECT value FROM json_each(?))'

/**
 * Chains of these ids that are there, and all others of which the index knows that the journal has draws.
 *
 * @param ids chains that the journal has draws of
 * @throws DamagedData where the row of such a chain is not what was written: its draws would be lost with the journal
 */
export function* recoveredChains(ids: readonly number[]): Program<RecoveredChain[]> {
  const [longer = []] = yield { reads: [{ sql: LONGER_SQL, params: [] }] }
  const inJournal = new Set(ids)
  const all = new Set([...ids, ...longer.map((row) => numberIn(row, 'id'))])
  const [rows = []] = yield { reads: [chainsWithIds([...all])] }
  const chains = rows.flatMap((row) => recoverable(row, inJournal))
  const [runs = []] = yield {
    reads: [{ sql: RUNS_SQL, params: [JSON.stringify([...new Set(chains.map(({ runId }) => runId))])] }],
  }
  const owners = new Map(runs.map((row) => [numberIn(row, 'id'), row]))
  return chains.flatMap(({ number: chain, ...row }) => {
    const owner = owners.get(row.runId)
    // A run that is deleted has hidden its chains.
    if (owner === undefined || owner.deleted !== 0) {
      if (inJournal.has(row.id)) throw new DamagedData(`what the index has of run ${row.runId}`)
      return []
    }
    // Its bytes without those of the journal, which the replay counts.
    const bytes = row.bytes - row.tailBytes
    return [{ ...row, bytes, chain, tenant: textIn(owner, 'tenant'), registration: textIn(owner, 'registration') }]
  })
}

/** The chain in a row; none where it is hidden, or damaged while the journal has nothing of it: who reads it finds that. */
function recoverable(row: Row, inJournal: ReadonlySet<number>): ChainRow[] {
  const found = chainAsFound(row)
  const chain = inJournal.has(found.id) || isChainIntact(row, found) ? chainIn(row) : undefined
  return chain === undefined || chain.number < 0 || chain.tailRows > 0 ? [] : [chain]
}
