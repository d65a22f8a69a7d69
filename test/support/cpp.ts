/** Programs in C++ that tests compile: with every warning an error, where a machine has a compiler and libcurl. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of compiled programs: those of temporary files may be such that nothing in them can be started. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/cpp', import.meta.url))
const FLAGS = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-Wpedantic', '-Werror']

/** Reason to skip tests that compile what uses libcurl. */
export function withoutCompiler(): string | undefined {
  const { error, status } = spawnSync('g++', ['-E', '-x', 'c++', '-'], {
    input: '#include <curl/curl.h>\n',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  if (error !== undefined) return 'there is no g++ on this machine (Debian: apt-get install g++)'
  return status === 0 ? undefined : 'libcurl has no headers here (Debian: apt-get install libcurl4-openssl-dev)'
}

/** Compiles a program of one file, and gives its path. @throws Error with the compiler's words */
export function compile(source: string, ...libraries: readonly string[]): string {
  mkdirSync(COMPILED, { recursive: true })
  const program = join(COMPILED, basename(source, '.cpp'))
  const { status, stderr } = spawnSync('g++', [...FLAGS, source, '-o', program, ...libraries], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`g++ of ${source} says:\n${stderr}`)
  return program
}
