/** Files of Stan for tests: of one chain, made up, and read with whatever borders between pieces. */
import { CsvFile } from '../../../src/core/stan/csv-file.ts'
import { atOnce } from '../../../src/core/turn.ts'

const encoder = new TextEncoder()

export interface ReadFile {
  readonly file: CsvFile
  readonly rows: number[][]
  readonly warmup: boolean[]
}

/** Reads a text in pieces of these lengths, again and again. @throws StanError */
export function readText(text: string, lengths: readonly number[] = [65_536], warmup?: number): ReadFile {
  const rows: number[][] = []
  const flags: boolean[] = []
  const file = new CsvFile(
    (values, isWarmup) => {
      rows.push([...values])
      flags.push(isWarmup)
    },
    { columns: 10_000, drawBytes: 64 * 1024 * 1024, room: () => {} },
    warmup,
  )
  const bytes = encoder.encode(text)
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? 1)
    atOnce(file.add(bytes.subarray(at, at + length)))
    at += length
  }
  return { file, rows, warmup: flags }
}

export interface Made {
  readonly settings?: readonly string[]
  readonly names?: string
  readonly rows?: readonly string[]
  readonly isTimed?: boolean
}

const SETTINGS = ['model = m_model', 'method = sample (Default)', 'num_samples = 3', 'num_warmup = 2', 'id = 1']
const ADAPTATION = ['Adaptation terminated', 'Step size = 0.5', 'Diagonal elements of inverse mass matrix:', '1.5, 2']
const TIMING = ['', ' Elapsed Time: 0.1 seconds (Warm-up)', '  0.2 seconds (Sampling)', '  0.3 seconds (Total)', '']

const commented = (lines: readonly string[]) => lines.map((line) => `# ${line}`)

/** A file of CmdStan: three draws of `mu` and `theta[2]`. */
export function madeFile({ settings = SETTINGS, names = NAMES, rows = ROWS, isTimed = true }: Made = {}): string {
  const lines = [
    ...commented(settings),
    names,
    ...commented(ADAPTATION),
    ...rows,
    ...(isTimed ? commented(TIMING) : []),
  ]
  return `${lines.join('\n')}\n`
}

export const NAMES = 'lp__,stepsize__,treedepth__,divergent__,mu,theta.1,theta.2'
export const ROWS = [
  '-7.5,0.5,3,0,1.25,-1e-3,2',
  '-7.25,0.5,2,1,nan,inf,-0',
  '-7,0.5,1,0,1e308,4.9406564584124654e-324,3',
]
