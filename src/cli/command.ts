/** The shape of a command of `mcb`, and the things that it gets. */
import type { ParseArgsOptionsConfig } from 'node:util'
import type { HttpBackend } from '../client/index.ts'
import type { JsonObject } from '../core/json.ts'
import type { Profile } from './profile.ts'
import type { Call } from './server.ts'

/** Options as they were typed; one that may be repeated is a list. */
export interface Given {
  readonly [option: string]: string | boolean | readonly string[] | undefined
}

export interface Context {
  readonly profile: Profile
  /** Asks the server for JSON. */
  readonly call: Call
  /** A client of the server, which tells failures at once. */
  readonly backend: HttpBackend
}

export interface Command {
  /** The command and its arguments, as typed behind `mcb`. */
  readonly usage: string
  readonly about: string
  readonly options?: ParseArgsOptionsConfig
  /** Lines of help about the options. */
  readonly optionHelp?: readonly string[]
  /** Lines that show its use, without `mcb` in front. */
  readonly examples: readonly string[]
  /** Number of arguments, or the least and the most. */
  readonly args: number | readonly [least: number, most: number]
  /** Undefined where the command has printed all itself. */
  run(context: Context, args: readonly string[], given: Given): Promise<Shown | undefined>
}

/** The output of a command: the server's answer, and a text for people. */
export interface Shown {
  readonly json: JsonObject
  readonly text: string
}

export function textOf(given: Given, option: string): string | undefined {
  const value = given[option]
  return typeof value === 'string' ? value : undefined
}

/** Values of an option that may be repeated. */
export function textsOf(given: Given, option: string): readonly string[] {
  const value = given[option]
  return Array.isArray(value) ? value : []
}

/** A part of a path. */
export const segment = encodeURIComponent
