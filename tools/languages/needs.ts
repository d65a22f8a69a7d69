/** Compilers, libraries and packages of R that the clients' tests need: found, or installed where that can be done unasked. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fromApt, Missing } from '../common/apt.ts'
import { inBuild, quietly, ROOT } from './task.ts'

const isWell = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** A header that the compiler finds. */
const hasHeader = (name: string): boolean =>
  spawnSync('g++', ['-E', '-x', 'c++', '-'], { input: `#include <${name}>`, stdio: ['pipe', 'ignore', 'ignore'] })
    .status === 0

/** Well where clang finds the libraries of its sanitizers, which come in a package of their own. */
const LINKS_SANITIZER = 'echo "int main() {}" | clang++-19 -fsanitize=thread -x c++ - -o /dev/null'

const R_PACKAGES = ['curl', 'jsonlite', 'posterior', 'bayesplot', 'testthat', 'rstan', 'knitr', 'rmarkdown', 'coda']

/** Something that tasks need: Debian's packages that bring it, and a look whether it is there. */
interface Need {
  readonly packages: readonly string[]
  readonly isThere: () => boolean
}

const NEEDS = {
  'a C++ compiler, CMake, libcurl and GoogleTest': {
    packages: ['g++', 'cmake', 'make', 'libcurl4-openssl-dev', 'libgtest-dev', 'openssl'],
    isThere: () =>
      isWell('g++', '--version') &&
      isWell('cmake', '--version') &&
      isWell('openssl', 'version') &&
      hasHeader('curl/curl.h') &&
      hasHeader('gtest/gtest.h'),
  },
  'protobuf for C++': {
    packages: ['libprotobuf-dev', 'protobuf-compiler'],
    isThere: () => isWell('protoc', '--version') && hasHeader('google/protobuf/message.h'),
  },
  'clang 19 with its sanitizers': {
    packages: ['clang-19', 'libclang-rt-19-dev'],
    isThere: () => isWell('clang++-19', '--version') && isWell('sh', '-c', LINKS_SANITIZER),
  },
  'clang-tidy 19 and doxygen': {
    packages: ['clang-tidy-19', 'doxygen'],
    isThere: () => isWell('clang-tidy-19', '--version') && isWell('doxygen', '--version'),
  },
  'R with its packages': {
    packages: ['r-base-core', 'r-base-dev', 'pandoc', ...R_PACKAGES.map((name) => `r-cran-${name}`)],
    isThere: () => {
      const names = R_PACKAGES.map((name) => `"${name}"`).join()
      return isWell('Rscript', '-e', `quit(status = !all(sapply(c(${names}), requireNamespace, quietly = TRUE)))`)
    },
  },
} as const satisfies Record<string, Need>
export type NeedName = keyof typeof NEEDS

/** Installs all of these that are not there, in one go. @throws Missing for what cannot be had */
export async function require(...names: readonly NeedName[]): Promise<void> {
  const absent = names.filter((name) => !NEEDS[name].isThere())
  if (absent.length === 0) return
  await fromApt(
    absent.flatMap((name) => NEEDS[name].packages),
    () => true,
  )
  const left = absent.filter((name) => !NEEDS[name].isThere())
  if (left.length > 0) {
    const packages = left.flatMap((name) => NEEDS[name].packages).join(' ')
    throw new Missing(`${left.join(', ')} (Debian: apt-get install ${packages})`)
  }
}

/** The folder with Stan's compiler and headers. @throws Missing without Python, Error when the download fails */
export async function stanToolchain(): Promise<string> {
  const folder = inBuild('stan-toolchain')
  const script = join(ROOT, 'clients/cpp/scripts/stan_toolchain.py')
  const python = ['python3', 'python'].find((name) => isWell(name, '-m', 'pip', '--version'))
  if (python === undefined) throw new Missing("Python with pip, which brings Stan's compiler")
  await quietly([python, script, folder])
  if (!existsSync(folder)) throw new Error(`${script} has made no ${folder}`)
  return folder
}

export const ALL_NEEDS = Object.keys(NEEDS).filter((name): name is NeedName => Object.hasOwn(NEEDS, name))
