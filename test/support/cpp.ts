/** Programs in C++ that tests compile: with every warning an error, where a machine has a compiler and libcurl. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of compiled programs: those of temporary files may be such that nothing in them can be started. */
const COMPILED = fileURLToPath(new URL('../../build/tests', import.meta.url))
const FLAGS = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-Wpedantic', '-Werror']

/** The C++ client, with its build files. */
const CLIENT = fileURLToPath(new URL('../../clients/cpp', import.meta.url))

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
export function compile(source: string, ...more: readonly string[]): string {
  mkdirSync(COMPILED, { recursive: true })
  const program = join(COMPILED, basename(source, '.cpp'))
  const { status, stderr } = spawnSync('g++', [...FLAGS, source, '-o', program, ...more], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`g++ of ${source} says:\n${stderr}`)
  return program
}

/** Reason to skip tests that build the C++ client. */
export function withoutBuildOfClient(): string | undefined {
  const isThere = spawnSync('cmake', ['--version'], { stdio: 'ignore' }).status === 0
  return (
    withoutCompiler() ??
    (isThere ? undefined : 'there is no CMake on this machine (Debian: apt-get install cmake make)')
  )
}

/** Builds the C++ client, and gives the arguments that a program compiles and links it by. @throws Error with the builder's words */
export function buildClient(): readonly string[] {
  const folder = join(COMPILED, 'client')
  const configure = ['-S', CLIENT, '-B', folder, '-DCMAKE_BUILD_TYPE=None', '-DCMAKE_CXX_FLAGS=-O0']
  for (const args of [
    [...configure, '-DMCBACKEND_BUILD_TESTS=OFF', '-DBUILD_SHARED_LIBS=OFF'],
    ['--build', folder, '--target', 'mcbackend', '--parallel', '2'],
  ]) {
    const { status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`cmake ${args.join(' ')} says:\n${stdout}${stderr}`)
  }
  return ['-I', join(CLIENT, 'include'), join(folder, 'libmcbackend.a'), '-lcurl', '-pthread']
}
