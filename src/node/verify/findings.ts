/** Findings of a verification. */

/** A chain, by the names that its writers know. */
export interface ChainName {
  readonly tenant: string
  readonly rid: string
  readonly chain: number
}

/** Something that is not what was written. */
export interface Damage extends Partial<ChainName> {
  /** A sentence without its end: the thing, and what is wrong with it. */
  readonly what: string
  /** Name of the variable or sampler stat. */
  readonly variable?: string
  /** Iterations that are damaged, the second one excluded. */
  readonly from?: number
  readonly to?: number
}

/** A chain that is damaged. */
export interface DamagedChain extends ChainName {
  readonly length: number
  /** Iterations before this one are as they were written, in all variables. */
  readonly soundTo: number
}

export interface Verdict {
  readonly runs: number
  readonly chains: number
  readonly draws: number
  /** Bytes of draws and staged objects whose checksums were verified. */
  readonly bytes: number
  /** Staged objects. */
  readonly staged: number
  /** Rows of versions before that have no checksums. */
  readonly unsummed: number
  /** Objects that no chain names, with their bytes. They take room, and nothing is wrong with them. */
  readonly strays: readonly { readonly key: string; readonly bytes: number }[]
  readonly damages: number
  readonly damagedChains: readonly DamagedChain[]
}

/** A damage as a line of text. */
export function lineOf({ what, tenant, rid, chain, variable, from, to }: Damage): string {
  const parts = [
    tenant !== undefined && `tenant "${tenant}"`,
    rid !== undefined && `run "${rid}"`,
    chain !== undefined && `chain ${chain}`,
    variable !== undefined && `"${variable}"`,
    from !== undefined && `iterations ${from} to ${to}`,
  ].filter((part) => part !== false)
  return parts.length === 0 ? what : `${parts.join(', ')}: ${what}`
}
