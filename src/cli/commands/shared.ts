/** Options that several commands have. */
import { UsageError } from '../cli-error.ts'
import type { Given } from '../command.ts'

export const EXPIRES_HELP = '--expires WHEN       12h, 30d, or a time as 2026-12-31T23:59:59Z; never when not given'
export const YES = { yes: { type: 'boolean' } } as const
export const YES_HELP = ['--yes                really delete']

export function requireYes(given: Given, what: string): void {
  if (given.yes !== true) throw new UsageError(`this deletes ${what} for good; say --yes`)
}
