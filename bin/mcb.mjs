#!/usr/bin/env node
// `mcb`: the command line.
import { start } from './own-node.mjs'

await start('../src/cli/main.ts', process.argv.slice(2))
