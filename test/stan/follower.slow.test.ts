/** Files through PUT and through the Python package's follower make equal runs: metadata, draws, and facts of chains. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { equalRunMeta } from '../../src/core/wire/run-meta.ts'
import { madeFile } from '../core/stan/files.ts'
import { type Served, serve } from '../node/serve.ts'
import { SHARED_DATA } from '../support/shared.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const PYTHON = [
  ...['.venv', '.venv-3.13', '.venv-3.12'].map((name) =>
    fileURLToPath(new URL(`../../clients/python/${name}/bin/python`, import.meta.url)),
  ),
  process.env.MCB_GOLDEN_PYTHON ?? '',
].find((path) => path !== '' && existsSync(path))
const SCRIPT = fileURLToPath(new URL('follower.py', import.meta.url))

interface Case {
  readonly name: string
  readonly text: string
  readonly warmup?: number
}

const own: readonly Case[] = [
  { name: 'made', text: madeFile() },
  {
    name: 'saved',
    text: '# method = sample\n# num_samples = 4\n# num_warmup = 3\n# save_warmup = 1\n# thin = 2\n# adapt\n# engaged = 1\n# delta = 0.9\n# max_depth = 12\n# metric = dense_e\nlp__,stepsize__,a.1.1,a.2.1,a.1.2,a.2.2\n0,1,1,2,3,4\n0,1,1,2,3,nan\n# Adaptation terminated\n# Step size = 0.25\n# Elements of inverse mass matrix:\n# 1, 0.5\n# 0.5, 2\n0,1,1,2,3,-inf\n0,1,1,2,3,1e-300\n# Elapsed Time: 1 seconds (Warm-up)\n',
  },
  {
    name: 'variational',
    text: '# stan_version_major = 2\n# stan_version_minor = 36\n# stan_version_patch = 0\n# method = variational\n# output_samples = 2\nlp__,log_p__,log_g__,mu,z.real,z.imag\n0,0,0,7,1,2\n0,-1,-1,6,3,4\n0,-2,-2,8,5,6\n',
  },
  { name: 'optimize', text: '# method = optimize\n# save_iterations = 0\nlp__,mu\n-3.5,0.25\n' },
  {
    name: 'pathfinder',
    text: '# method = pathfinder\nlp_approx__,lp__,path__,mu\n1,2,1,0.5\n1,2,3,0.75\n# Elapsed Time: 0.01 seconds (Pathfinders)\n# 0.02 seconds (Total)\n',
  },
  { name: 'laplace', text: '# method = laplace\n# draws = 1\nlog_p__,log_q__,mu\n1,2,3\n' },
  {
    name: 'generated',
    text: '# method = generate_quantities\n# fitted_params = fit.csv\ny.1,y.2\n1,2\n3,4\n',
    warmup: 1,
  },
  { name: 'table', text: '"m[1,1]","m[2,1]",mu\n1,2,3\n', warmup: 0 },
  {
    name: 'rstan',
    text: '# sampler_t=NUTS(diag_e)\n# iter=4\n# chain_id=1\n# warmup=2\n# save_warmup=1\n# thin=1\n# adapt_engaged=1\n# max_treedepth=10\n"lp__","stepsize__","a"\n1,1,1\n1,1,2\n# Adaptation terminated\n# Step size = 0.5\n1,1,3\n1,1,4\n# Elapsed Time: 1 seconds (Warm-up)\n',
  },
]

function shared(): readonly Case[] {
  const file = (folder: string, name: string) => ({
    name: name.replace('.csv', ''),
    text: readFileSync(join(SHARED_DATA, folder, name), 'utf8'),
  })
  const cmdstan = readdirSync(join(SHARED_DATA, 'cmdstan')).map((name) => file('cmdstan', name))
  const field = ['csv-array-of-tuples', 'csv-fixed-param-save-warmup'].map((name) => ({
    ...file(`field/${name}`, 'output.csv'),
    name,
  }))
  return [...cmdstan, ...field]
}

const CASES = [...own, ...(existsSync(join(SHARED_DATA, 'cmdstan')) ? shared() : [])]

let folder: string
let served: Served

beforeAll(async () => {
  folder = newFolder()
  served = await serve()
})

afterAll(async () => {
  await served.server.close()
  removeFolder(folder)
})

async function contentOf(rid: string) {
  const run = await new HttpBackend({ url: served.server.url }).getRun(rid)
  if (run === undefined) return undefined
  const chain = await run.getChain(0)
  const { facts } = await run.about()
  const columns = await Promise.all(
    [...run.schema.columns].map(async ({ name, group }) => [
      name,
      chain === undefined ? [] : group === 'draws' ? await chain.getDraws(name) : await chain.getStats(name),
    ]),
  )
  return {
    columns,
    chains: facts.chains ?? {},
    settings: facts.settings,
    expected: facts.expected,
    startedAt: facts.startedAt,
  }
}

testUnless(PYTHON === undefined ? 'there is no Python with the package' : undefined)(
  'PUT and the follower make equal runs',
  async () => {
    const { api, server } = served
    const args = CASES.map(({ name, text, warmup }) => {
      const file = join(folder, `${name}.csv`)
      writeFileSync(file, text)
      return `tail-${name}=${file}${warmup === undefined ? '' : `=${warmup}`}`
    })
    const env = { ...process.env, XDG_STATE_HOME: folder, MCB_SPOOL_DIR: folder }
    const { stdout: said } = await promisify(execFile)(PYTHON ?? '', [SCRIPT, server.url, ...args], { env })
    const faults = new Map(
      said
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]),
    )
    for (const { name, text, warmup } of CASES) {
      const query = warmup === undefined ? '' : `?warmup=${warmup}`
      const put = (rid: string) =>
        api.request('PUT', `/v1/runs/${rid}/chains/0/stan.csv${query}`, { body: new TextEncoder().encode(text) })
      const answer = await put(`put-${name}`)
      expect([name, answer.status]).toEqual([name, faults.get(`tail-${name}`) === 0 ? 200 : 400])
      const [theirs, ours] = [await contentOf(`tail-${name}`), await contentOf(`put-${name}`)]
      if (theirs === undefined) {
        // The follower registers a run with the first draw, PUT with the line of names.
        expect(ours?.columns.every(([, draws]) => Array.isArray(draws) && draws.length === 0) ?? true).toBe(true)
        continue
      }
      expect([name, ours]).toEqual([name, theirs])
      const bytes = async (rid: string) => new Uint8Array(await (await api.get(`/v1/runs/${rid}`)).arrayBuffer())
      const renamed = (await bytes(`put-${name}`)).slice()
      expect(
        equalRunMeta(withoutRid(renamed, `put-${name}`), withoutRid(await bytes(`tail-${name}`), `tail-${name}`)),
      ).toBe(true)
      // And each may go on with the other's run.
      expect([name, (await put(`tail-${name}`)).status]).toEqual([name, answer.status])
    }
  },
  { timeout: 300_000 },
)

/** Metadata whose first field is the id of their run, without it. */
function withoutRid(meta: Uint8Array<ArrayBuffer>, rid: string): Uint8Array<ArrayBuffer> {
  expect(new TextDecoder().decode(meta.subarray(2, 2 + rid.length))).toBe(rid)
  return meta.slice(2 + rid.length)
}
