#!/usr/bin/env node
// `mcbackend-edge`: the server, and what is done with its data where it is installed as a package.
import { start } from './own-node.mjs'

const COMMANDS = new Map([
  ['backup', '../scripts/backup.mjs'],
  ['restore', '../scripts/restore.mjs'],
  ['verify', '../scripts/verify.mjs'],
  ['restore-drill', '../scripts/restore-drill.mjs'],
  ['clickhouse-migrate', '../scripts/clickhouse-migrate.mjs'],
])

const args = process.argv.slice(2)
const command = COMMANDS.get(args[0])
await (command === undefined ? start('../src/node.ts', args) : start(command, args.slice(1)))
