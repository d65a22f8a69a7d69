/** JSON answers of the server, read without trust; one that lacks a member was damaged on its way. */
import type { RunPage, RunSummary } from '../core/interfaces.ts'
import { type Answer, asRecord } from './problem.ts'

export interface ChainAnswer {
  readonly chain: number
  readonly length: number
}

type Members = Readonly<Record<string, unknown>>

function members({ bytes }: Answer): Members {
  return asRecord(JSON.parse(new TextDecoder().decode(bytes)))
}

function numberIn(value: Members, name: string): number {
  const member = value[name]
  if (typeof member !== 'number') throw new TypeError(`"${name}" is not a number`)
  return member
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

export function readChain(answer: Answer): ChainAnswer {
  return chainOf(members(answer))
}

export function readChains(answer: Answer): ChainAnswer[] {
  return listIn(members(answer), 'chains').map((chain) => chainOf(asRecord(chain)))
}

function chainOf(value: Members): ChainAnswer {
  return { chain: numberIn(value, 'chain'), length: numberIn(value, 'length') }
}

export function readRunPage(answer: Answer): RunPage {
  const page = members(answer)
  const runs = listIn(page, 'runs').map((run) => summaryOf(asRecord(run)))
  return page.nextCursor === undefined ? { runs } : { runs, nextCursor: stringIn(page, 'nextCursor') }
}

function summaryOf(run: Members): RunSummary {
  return {
    rid: stringIn(run, 'rid'),
    createdAt: new Date(stringIn(run, 'createdAt')),
    updatedAt: new Date(stringIn(run, 'updatedAt')),
    variables: numberIn(run, 'variables'),
    sampleStats: numberIn(run, 'sampleStats'),
    chains: numberIn(run, 'chains'),
    draws: numberIn(run, 'draws'),
  }
}
