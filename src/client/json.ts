/** JSON answers of the server, read without trust; one that lacks a member was damaged on its way. */
import type { RunPage, RunSummary } from '../core/interfaces.ts'
import { asRecord, type WholeAnswer } from './problem.ts'

export interface ChainAnswer {
  readonly chain: number
  readonly length: number
}

type Members = Readonly<Record<string, unknown>>

function members({ bytes }: WholeAnswer): Members {
  return asRecord(JSON.parse(new TextDecoder().decode(bytes)))
}

/** A number of chains or draws, or an index of one. */
function wholeNumberIn(value: Members, name: string): number {
  const member = value[name]
  if (typeof member === 'number' && Number.isSafeInteger(member) && member >= 0) return member
  throw new TypeError(`"${name}" is not a whole number from 0 on`)
}

function stringIn(value: Members, name: string): string {
  const member = value[name]
  if (typeof member !== 'string') throw new TypeError(`"${name}" is not a string`)
  return member
}

function listIn(value: Members, name: string): readonly unknown[] {
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
  return listIn(members(answer), 'chains').map((chain) => chainOf(asRecord(chain)))
}

function chainOf(value: Members): ChainAnswer {
  return { chain: wholeNumberIn(value, 'chain'), length: wholeNumberIn(value, 'length') }
}

export function readRunPage(answer: WholeAnswer): RunPage {
  const page = members(answer)
  const runs = listIn(page, 'runs').map((run) => summaryOf(asRecord(run)))
  return page.nextCursor === undefined ? { runs } : { runs, nextCursor: stringIn(page, 'nextCursor') }
}

function summaryOf(run: Members): RunSummary {
  return {
    rid: stringIn(run, 'rid'),
    createdAt: new Date(stringIn(run, 'createdAt')),
    updatedAt: new Date(stringIn(run, 'updatedAt')),
    variables: wholeNumberIn(run, 'variables'),
    sampleStats: wholeNumberIn(run, 'sampleStats'),
    chains: wholeNumberIn(run, 'chains'),
    draws: wholeNumberIn(run, 'draws'),
  }
}
