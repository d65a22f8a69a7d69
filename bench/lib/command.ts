/** The command line that the benchmarks share: options, the scale they stand for, and the report. */
import { parseArgs } from 'node:util'
import type { Figure, Scale } from './figures.ts'

export interface BenchCommand {
  readonly scale: Scale
  readonly only: readonly string[] | undefined
  report(found: Figure | readonly Figure[]): void
  /** A line for people; it goes to standard error when the JSON object is asked for. */
  say(text: string): void
  /** The JSON object, where it was asked for. */
  finish(): void
}

/** Parses the arguments; prints `help` and ends where that is asked for. */
export function benchCommand(help: string): BenchCommand {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      only: { type: 'string', multiple: true },
    },
  })
  if (values.help) {
    console.log(help)
    process.exit(0)
  }
  const figures: Figure[] = []
  const say = (text: string) => (values.json ? console.error(text) : console.log(text))
  return {
    scale: values.quick ? { rounds: 3, seconds: 1, data: 0.1 } : { rounds: 5, seconds: 2, data: 1 },
    only: values.only,
    say,
    report(found) {
      for (const figure of [found].flat()) {
        figures.push(figure)
        say(lineOf(figure))
      }
    },
    finish() {
      if (values.json) console.log(JSON.stringify({ node: process.version, quick: values.quick, figures }, null, 2))
    },
  }
}

function lineOf({ name, value, unit, goal, met, detail }: Figure): string {
  const verdict = met === null ? '' : met ? 'met' : 'NOT MET'
  return `${name.padEnd(52)} ${String(value).padStart(8)} ${unit.padEnd(6)} ${goal.padEnd(8)} ${verdict.padEnd(8)} ${detail}`
}
