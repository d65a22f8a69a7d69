/** Checks of a run as JSON (docs/protocol.md §8). */
import type { RunChecks } from '../diagnostics/checks/check.ts'
import type { JsonObject } from '../json.ts'

export function checksJson({ rid, registration, draws, status, checks, progress }: RunChecks): JsonObject {
  return {
    ...{ rid, registration, draws, status },
    ...(progress !== undefined && { complete: false, progress }),
    checks: checks.map(({ check, status, message, advice, chains, worst }) => ({
      ...{ check, status, message, advice },
      ...(chains !== undefined && { chains: chains.map(({ chain, value }) => ({ chain, value })) }),
      ...(worst !== undefined && {
        worst: worst.map(({ label, value, at }) => ({ label, value, ...(at !== undefined && { at }) })),
      }),
    })),
  }
}
