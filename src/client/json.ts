/** JSON answers of the server, read without trust; one that lacks a member was damaged on its way. */
import { stateOf } from '../core/about.ts'
import { readRunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import { McbError } from '../core/errors.ts'
import type { RunAbout, RunPage, RunQuery, RunSummary } from '../core/interfaces.ts'
import { isObject, type JsonObject, type JsonValue, parseJson } from '../core/json.ts'
import type { WholeAnswer } from './problem.ts'

export interface ChainAnswer {
  readonly chain: number
  readonly length: number
}

export function members({ bytes }: WholeAnswer): JsonObject {
  const value = parseJson(new TextDecoder().decode(bytes))
  return isObject(value) ? value : {}
}

/** A number of chains or draws, or an index of one. */
export function wholeNumberIn(value: JsonObject, name: string): number {
  const member = value[name]
  if (typeof member === 'number' && Number.isSafeInteger(member) && member >= 0) return member
  throw new TypeError(`"${name}" is not a whole number from 0 on`)
}

export function stringIn(value: JsonObject, name: string): string {
  const member = value[name]
  if (typeof member !== 'string') throw new TypeError(`"${name}" is not a string`)
  return member
}

export function listIn(value: JsonObject, name: string): readonly JsonValue[] {
  const member = value[name]
  if (!Array.isArray(member)) throw new TypeError(`"${name}" is not a list`)
  return member
}

/** The state of chain `number`: that of another one was not asked for. */
export function readChain(answer: WholeAnswer, number: number): ChainAnswer {
  const state = chainOf(members(answer))
  if (state.chain !== number) throw new TypeError(`chain ${state.chain} was answered instead of ${number}`)
  return state
}

export function readChains(answer: WholeAnswer): ChainAnswer[] {
  return listIn(members(answer), 'chains').map((chain) => chainOf(objectOf(chain)))
}

function chainOf(value: JsonObject): ChainAnswer {
  return { chain: wholeNumberIn(value, 'chain'), length: wholeNumberIn(value, 'length') }
}

/** @param query the question: a server of an older release ignores conditions, and would give all runs for those found */
export function readRunPage(answer: WholeAnswer, { limit: _limit, cursor: _cursor, ...filter }: RunQuery): RunPage {
  const page = members(answer)
  const lines = listIn(page, 'runs').map(objectOf)
  const isFiltered = Object.values(filter).some((value) => value !== undefined && `${value}` !== '')
  if (isFiltered && lines.some((line) => line.state === undefined)) {
    throw new McbError('not_found', 'the server is of an older release, which finds no runs by conditions')
  }
  const runs = lines.map(summaryOf)
  return page.nextCursor === undefined ? { runs } : { runs, nextCursor: stringIn(page, 'nextCursor') }
}

export function readRunAbout(answer: WholeAnswer): RunAbout {
  const about = members(answer)
  return {
    ...summaryOf(about),
    notes: textOrNull(about, 'notes'),
    facts: objectOf(about.facts),
    attributes: objectOf(about.attributes),
    etag: answer.headers.get('ETag') ?? '',
  }
}

/** Names and states are those of a run without them where an older server does not tell them. */
function summaryOf(run: JsonObject): RunSummary {
  const updatedAt = new Date(stringIn(run, 'updatedAt'))
  const unknown = { finished: false, expected: null, chains: 0, shortest: 0, updatedAt }
  const { state, diagnostics } = run
  return {
    rid: stringIn(run, 'rid'),
    createdAt: new Date(stringIn(run, 'createdAt')),
    updatedAt,
    variables: wholeNumberIn(run, 'variables'),
    sampleStats: wholeNumberIn(run, 'sampleStats'),
    chains: wholeNumberIn(run, 'chains'),
    draws: wholeNumberIn(run, 'draws'),
    name: textOrNull(run, 'name'),
    tags: Array.isArray(run.tags) ? run.tags.filter((tag) => typeof tag === 'string') : [],
    archived: run.archived === true,
    state: state === 'done' || state === 'live' || state === 'silent' ? state : stateOf(unknown, Date.now()),
    diagnostics: readRunDiagnostics(diagnostics),
  }
}

function textOrNull(value: JsonObject, name: string): string | null {
  const member = value[name]
  return typeof member === 'string' ? member : null
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {}
}
