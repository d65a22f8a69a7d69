/** Pages of a list of many runs, with conditions and without. */
import { atMost, type Figure, type Scale } from './figures.ts'
import { median, seconds } from './measure.ts'
import { scalars } from './model.ts'
import type { Started } from './server.ts'

const RUNS = 100_000
const TOGETHER = 64
const READS = 15

/** Questions to the list: common and rare conditions, ones that nothing meets, and the far end. */
const QUESTIONS: readonly string[] = [
  '',
  'limit=1000',
  'limit=1000&cursor=2000',
  'archived=true&limit=1000',
  'q=school%20976',
  'q=nowhere',
  'q=nowhere&archived=any',
  'tag=all&limit=1000',
  'tag=t3',
  'tag=all&tag=t3&tag=t4',
  'tag=all&q=nowhere',
  'attr.n=777',
  'attr.model=m3&limit=1000',
  'attr.cores=3&limit=1000',
  'attr.cores=3&attr.model=m3&tag=t3&q=school%205',
  'since=2026-01-01&limit=1000',
  'until=2026-01-01',
  'updatedSince=2026-01-01&limit=1000',
  'updatedSince=2999-01-01',
]

/** Milliseconds of the slowest of these questions to 100,000 runs with a chain, a name, two tags and three attributes each. */
export async function listFigure(server: Started, scale: Scale): Promise<Figure> {
  const runs = RUNS * scale.data
  await fillRuns(server, runs)
  const times = new Map<string, number>()
  for (const question of QUESTIONS) {
    const each: number[] = []
    for (let i = 0; i < READS; i++) {
      each.push(1e3 * (await seconds(async () => void (await ask(server, 'GET', `/v1/runs?${question}`)))))
    }
    times.set(question, median(each))
  }
  for (const [question, time] of times) console.error(`  ${time.toFixed(1).padStart(6)} ms  /v1/runs?${question}`)
  const [slowest = ['', Number.NaN]] = [...times].sort(([, a], [, b]) => b - a)
  return atMost(`a page of ${runs} runs`, slowest[1], 50, 'ms', `the slowest of ${times.size} questions: ${slowest[0]}`)
}

async function fillRuns(server: Started, runs: number): Promise<void> {
  const model = scalars(3)
  const variables = [...model.schema.draws.values()].map(({ name, dtype }) => ({ name, dtype }))
  const one = async (i: number) => {
    const path = `/v1/runs/run-${((i * 7919) % 1_000_003).toString(36)}`
    const attributes = {
      model: { stringValue: `m${i % 5}` },
      cores: { numberValue: i % 4 },
      n: { stringValue: `${i}` },
    }
    await ask(server, 'PUT', path, { variables, attributes })
    await ask(server, 'PUT', `${path}/chains/0`)
    const name = `Hierarchical model ${i} of school ${i % 977}`
    await ask(server, 'PATCH', `${path}/about`, { name, tags: ['all', `t${i % 10}`], archived: i % 20 === 0 })
  }
  for (let from = 0; from < runs; from += TOGETHER) {
    if (from % 10_048 === 0) console.error(`  ${from} of ${runs} runs`)
    await Promise.all(Array.from({ length: Math.min(TOGETHER, runs - from) }, (_, i) => one(from + i)))
  }
}

async function ask({ url }: Started, method: string, path: string, body?: object): Promise<void> {
  const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
  const answer = await fetch(new URL(path, url), { method, ...init })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${text}`)
}
