/** The client on Node, Deno and Bun: `main.mjs URL`. */
import process from 'node:process'
import { useClient } from './consumer.mjs'

console.log(`used: ${await useClient(process.argv[2])}`)
