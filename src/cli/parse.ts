/** Arguments of the command line: the command that they name, its arguments and options. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { UsageError } from './cli-error.ts'
import type { Command, Given } from './command.ts'
import { COMMANDS } from './commands.ts'

export const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

export interface Typed {
  readonly command: Command
  readonly args: readonly string[]
  readonly given: Given
}

/** Words of a command before its arguments. */
function wordsOf({ usage }: Command): string[] {
  const words = usage.split(' ')
  const end = words.findIndex((word) => !/^[a-z]/.test(word))
  return end < 0 ? words : words.slice(0, end)
}

/** @throws UsageError */
export function typed(args: readonly string[]): Typed {
  const { command } = commandOf(args.filter((arg) => !arg.startsWith('-')))
  const { values, positionals } = parsed(args, { ...COMMON, ...command.options })
  const { rest } = commandOf(positionals)
  const given = Object.fromEntries(Object.entries(values))
  const [least, most] = typeof command.args === 'number' ? [command.args, command.args] : command.args
  if (given.help !== true && (rest.length < least || rest.length > most)) {
    throw new UsageError(`usage: mcb ${command.usage}`)
  }
  return { command, args: rest, given }
}

/** The command with the most words that the arguments begin with: `runs` is `runs list`, and `keys list` is `keys`. */
function commandOf(words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const found = COMMANDS.flatMap((command) => {
    const name = wordsOf(command)
    const isThis = name.every((word, i) => words[i] === word)
    return isThis ? [{ command, rest: words.slice(name.length), length: name.length }] : []
  }).sort((a, b) => b.length - a.length)[0]
  if (found?.length === 1 && found.rest[0] === 'list') return { command: found.command, rest: found.rest.slice(1) }
  if (found !== undefined) return found
  const runs = COMMANDS.find(({ usage }) => usage === 'runs list')
  if (runs !== undefined && words[0] === 'runs' && words.length === 1) return { command: runs, rest: [] }
  throw new UsageError(`there is no such command${meant(words)}; "mcb --help" lists them`)
}

/** The command that is the nearest to what was typed. That itself is not told: it may be a key. */
function meant(words: readonly string[]): string {
  const names = COMMANDS.map((command) => wordsOf(command).join(' '))
  const groups = [...new Set(COMMANDS.map((command) => wordsOf(command)[0] ?? ''))]
  const near = nearest(words.slice(0, 2).join(' '), names) ?? nearest(words[0] ?? '', groups)
  return near === undefined ? '' : `; did you mean "mcb ${near}"?`
}

/** The values of a parse, and its errors without the typed text: it may be a key. */
export function parsed<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: joined(args, options), options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(sentence(error instanceof Error ? error.message : '', Object.keys(options)))
  }
}

function sentence(message: string, names: readonly string[]): string {
  const unknown = /^Unknown option '(-[^']*)/.exec(message)?.[1]
  if (unknown !== undefined) {
    const near = nearest(unknown.replace(/^-+/, ''), names)
    return `there is no such option here${near === undefined ? '' : `; did you mean --${near}?`}; see --help`
  }
  const option = /^Option '([^' ]+)/.exec(message)?.[1]
  if (option === undefined) return 'there is no such option or argument here; see --help'
  const isMissing = /argument (missing|is ambiguous)/.test(message)
  return `option ${option.replace(/,$/, '')}: ${isMissing ? 'its value is missing' : 'it takes no value'}; see --help`
}

/** Values that begin with a dash, which the parser would take for options: `--start -20` is `--start=-20`, and so is `--sort -rhat`. */
function joined(args: readonly string[], options: ParseArgsOptionsConfig): string[] {
  const all: string[] = []
  for (const arg of args) {
    const last = all.at(-1)
    const takes = last?.startsWith('--') === true && options[last.slice(2)]?.type === 'string'
    const isValue = /^-\d+$/.test(arg) || (last === '--sort' && /^-[a-z]/.test(arg))
    if (takes && isValue) all[all.length - 1] = `${last}=${arg}`
    else all.push(arg)
  }
  return all
}

/** The name that differs from a text by few letters; undefined when none does. */
function nearest(text: string, names: readonly string[]): string | undefined {
  if (text === '' || text.length > 40) return undefined
  const near = names
    .map((name) => ({ name, distance: name.startsWith(text) ? 1 : distanceOf(text, name) }))
    .sort((a, b) => a.distance - b.distance)[0]
  return near !== undefined && near.distance <= Math.max(1, Math.floor(near.name.length / 3)) ? near.name : undefined
}

/** Letters to insert, remove, replace or swap with their neighbour to make one text of another. */
function distanceOf(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : replaced
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
