/** Facts of a run beside its draws: versions, settings, and of each chain seed, step size, metric and time. */
import { type JsonObject, type JsonValue, jsonText } from '../json.ts'
import type { CsvFile } from './csv-file.ts'
import type { Settings } from './settings.ts'

/** Characters of JSON that the metric and the mean of one chain may take: sixteen chains then take most of the 1 MiB of facts. */
const MOST_OF_CHAIN = (640 * 1024) / 16

/** Settings that are told, where a file has them. None is a path or a name of a machine. */
const TOLD = [
  ...[
    'method',
    'algorithm',
    'engine',
    'metric',
    'num_samples',
    'num_warmup',
    'save_warmup',
    'thin',
    'engaged',
    'delta',
  ],
  ...['gamma', 'kappa', 't0', 'init_buffer', 'term_buffer', 'window', 'max_depth', 'int_time', 'stepsize'],
  ...['stepsize_jitter', 'iter', 'grad_samples', 'elbo_samples', 'eta', 'tol_rel_obj', 'output_samples', 'num_paths'],
  ...[
    'num_draws',
    'num_psis_draws',
    'psis_resample',
    'calculate_lp',
    'draws',
    'jacobian',
    'save_iterations',
    'sig_figs',
  ],
] as const

/** Facts of the run, from the beginning of a file. */
export function runFacts({ settings, plan }: Pick<CsvFile, 'settings' | 'plan'>): JsonObject {
  const packages = packagesOf(settings)
  const told = TOLD.flatMap((name) => {
    const value = settings.get(name)
    return value === undefined ? [] : [[name, plain(value)] as const]
  })
  const startedAt = momentOf(settings.get('start_datetime') ?? '')
  return {
    ...(Object.keys(packages).length > 0 && { environment: { packages } }),
    ...(told.length > 0 && { settings: Object.fromEntries(told) }),
    ...(plan?.draws !== undefined && { expected: { draws: plan.draws, warmup: plan.warmup } }),
    ...(startedAt !== undefined && { startedAt }),
  }
}

/** Facts of a chain, as far as its file was read. */
export function chainFacts({
  settings,
  adaptation,
  mean,
}: Pick<CsvFile, 'settings' | 'adaptation' | 'mean'>): JsonObject {
  const seed = settings.get('seed') ?? ''
  const metric = adaptation.inverseMetric
  const samplingTime = adaptation.seconds.get('Total')
  const warmupTime = adaptation.seconds.get('Warm-up')
  const means = Object.fromEntries([...(mean ?? [])].filter(([, value]) => Number.isFinite(value)))
  return {
    ...(/^\d{1,19}$/.test(seed) && { seed: integer(seed) }),
    ...(adaptation.stepSize !== undefined && { stepSize: adaptation.stepSize }),
    ...(metric !== undefined && isSmall(metric) && { inverseMetric: metric }),
    ...(samplingTime !== undefined && { samplingTime }),
    ...(warmupTime !== undefined && { warmupTime }),
    ...(Object.keys(means).length > 0 && isSmall(means) && { mean: means }),
  }
}

function isSmall(value: JsonValue): boolean {
  return jsonText(value).length <= MOST_OF_CHAIN
}

function packagesOf(settings: Settings): { [name: string]: string } {
  const parts = ['major', 'minor', 'patch'].map((part) => settings.get(`stan_version_${part}`) ?? '')
  const stanc = settings.get('stanc_version') ?? ''
  return { ...(parts.every((part) => part !== '') && { stan: parts.join('.') }), ...(stanc !== '' && { stanc }) }
}

/** A setting as a value of JSON. */
function plain(text: string): JsonValue {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^[+-]?\d{1,300}$/.test(text)) return integer(text)
  const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : text
}

function integer(text: string): JsonValue {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text.replace(/^\+/, ''))
}

/** CmdStan's `2026-11-28 18:06:32 UTC` in RFC 3339. */
function momentOf(text: string): string | undefined {
  const [, day, time] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(text) ?? []
  const moment = `${day}T${time}Z`
  return day === undefined || Number.isNaN(Date.parse(moment)) ? undefined : moment
}
