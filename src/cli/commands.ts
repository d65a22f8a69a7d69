/** All commands of `mcb`, in the order of the help. */
import type { Command } from './command.ts'
import { ARCHIVE_COMMANDS } from './commands/archives.ts'
import { check } from './commands/check.ts'
import { draws } from './commands/draws.ts'
import { KEY_COMMANDS, SHARE_COMMANDS } from './commands/keys.ts'
import { RUN_COMMANDS } from './commands/runs.ts'
import { summary } from './commands/summary.ts'
import { TENANT_COMMANDS } from './commands/tenants.ts'
import { watch } from './commands/watch.ts'

export const COMMANDS: readonly Command[] = [
  ...RUN_COMMANDS,
  ...ARCHIVE_COMMANDS,
  draws,
  summary,
  check,
  watch,
  ...SHARE_COMMANDS,
  ...KEY_COMMANDS,
  ...TENANT_COMMANDS,
]
