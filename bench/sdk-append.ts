/** Cost of `append` of ten float64 scalars in the sampler's thread, against a loop that does nothing with them. */
import { parseArgs } from 'node:util'
import { createApp } from '../src/app.ts'
import { NullStore } from '../src/backends/null.ts'
import { HttpBackend } from '../src/client/index.ts'
import { StoreBackend } from '../src/runs/backend.ts'
import { median } from './lib/measure.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
if (values.help) {
  console.log('usage: node bench/sdk-append.ts [--json]')
  process.exit(0)
}

const NAMES = Array.from({ length: 10 }, (_, i) => `x${i}`)
const DRAWS = 20_000
const backend = new StoreBackend(new NullStore())
const app = createApp({ openBackend: () => backend })
const client = new HttpBackend({
  url: 'http://in.process',
  fetch: async (input: string | URL | Request, init?: RequestInit) => app.fetch(new Request(input, init)),
})
const run = await client.initRun({ rid: 'bench', variables: NAMES.map((name) => ({ name, dtype: 'float64' })) })

let sunk = 0
function nothing(draw: Readonly<Record<string, number>>): void {
  sunk += draw.x0 ?? 0
}

/** Microseconds a draw of the synchronous part, for which the sampler waits. */
function microseconds(each: (draw: Readonly<Record<string, number>>) => void): number {
  const draw: Record<string, number> = Object.fromEntries(NAMES.map((name, i) => [name, i]))
  const begun = performance.now()
  for (let i = 0; i < DRAWS; i++) {
    draw.x0 = i
    each(draw)
  }
  return ((performance.now() - begun) * 1000) / DRAWS
}

const costs: number[] = []
for (let round = 0; round < 12; round++) {
  const chain = await run.initChain(round)
  const idle = microseconds(nothing)
  const busy = microseconds((draw) => void chain.append(draw))
  await chain.close()
  if (round >= 2) costs.push(busy - idle)
}
await client.close()
const value = Number(median(costs).toFixed(2))
const figure = {
  name: 'SDK append of 10 float64 scalars',
  value,
  unit: 'us',
  goal: '<= 3',
  met: value <= 3,
  detail: `median of ${costs.length} rounds of ${DRAWS} draws, above doing nothing`,
}
console.log(
  values.json ? JSON.stringify(figure) : `${figure.name}: ${value} us (${figure.detail})${sunk < 0 ? '' : ''}`,
)
