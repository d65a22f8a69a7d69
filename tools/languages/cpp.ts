/** Tasks of the C++ client: its tests, plain and under sanitizers, in real Stan, as a package; and those who read its source. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Counts } from '../readers/report.ts'
import { require, stanToolchain } from './needs.ts'
import { countsOfJUnit } from './reports.ts'
import { inBuild, ONE, outputOf, quietly, ROOT, SERVER_ENV, type Task } from './task.ts'

const SOURCE = join(ROOT, 'clients/cpp')
const TOOLS = 'a C++ compiler, CMake, libcurl and GoogleTest'
const WARNINGS = '-Wall -Wextra -Wshadow -Werror'

interface Build {
  readonly flags: string
  readonly options?: readonly string[]
  /** All of it when absent. */
  readonly target?: string
}

/** Builds of the library with its tests, each in a folder of its own. */
const BUILDS = {
  plain: { flags: `-O1 -g0 ${WARNINGS}`, options: ['-DCMAKE_EXPORT_COMPILE_COMMANDS=ON'] },
  asan: { flags: `-O1 -g1 ${WARNINGS} -fsanitize=address,undefined -fno-sanitize-recover=all` },
  // Stan's own headers have warnings by the thousand.
  stan: { flags: '-O1 -g0', target: 'mcbackend_stan_test' },
  tsan: { flags: `-O1 -g1 ${WARNINGS} -fsanitize=thread` },
} as const satisfies Record<string, Build>
type BuildName = keyof typeof BUILDS

const folderOf = (name: string): string => inBuild(`cpp-${name}`)

/** Configures and compiles. */
async function compile(name: BuildName, more: readonly string[] = []): Promise<string> {
  const { flags, options = [], target }: Build = BUILDS[name]
  const folder = folderOf(name)
  const configure = ['cmake', '-S', SOURCE, '-B', folder, '-DCMAKE_BUILD_TYPE=None', `-DCMAKE_CXX_FLAGS=${flags}`]
  await quietly([...configure, '-DMCBACKEND_BUILD_TESTS=ON', ...options, ...more])
  const only = target === undefined ? [] : ['--target', target]
  await quietly(['cmake', '--build', folder, '--parallel', '1', ...only])
  return folder
}

/** Runs tests of a build whose names match, and those alone. */
async function ctest(name: string, folder: string, pattern: string): Promise<Counts> {
  const report = join(folder, 'report.xml')
  const chosen = ['-R', pattern, '--output-junit', report, '--output-on-failure', '--no-tests=error']
  const env = { ...SERVER_ENV, TSAN_OPTIONS: 'halt_on_error=1', UBSAN_OPTIONS: 'print_stacktrace=1' }
  const { status, text } = await outputOf(['ctest', '--test-dir', folder, '--timeout', '300', ...chosen], { env })
  const counts = existsSync(report) ? countsOfJUnit(report, name) : undefined
  if (status === 0 && counts !== undefined) return counts
  console.error(text)
  return counts !== undefined && counts.failed > 0
    ? counts
    : { ...ONE, passed: 0, failed: 1, failures: [`${name}: ctest`] }
}

async function tested(name: BuildName, pattern: string): Promise<Counts> {
  await require(TOOLS, 'protobuf for C++')
  return ctest(`C++, ${name}`, await compile(name), pattern)
}

/** clang-tidy on what is compiled, and doxygen, which names what has no comment. */
async function read(): Promise<Counts> {
  await require(TOOLS, 'clang-tidy 19 and doxygen')
  await compile('plain')
  const sources = globSync(['src/*.cpp', 'examples/*.cpp', 'bench/*.cpp'], { cwd: SOURCE })
  const compiled = JSON.parse(readFileSync(join(folderOf('plain'), 'compile_commands.json'), 'utf8')) as {
    file: string
  }[]
  const known = new Set(compiled.map(({ file }) => file))
  const paths = sources.map((path) => join(SOURCE, path)).filter((path) => known.has(path))
  await quietly(['clang-tidy-19', '--quiet', '--warnings-as-errors=*', '-p', folderOf('plain'), ...paths])
  const { status, text } = await outputOf(['doxygen', 'Doxyfile'], { cwd: SOURCE })
  if (status !== 0) throw new Error(`doxygen:\n${text}`)
  return { ...ONE, passed: 2 }
}

async function packaged(): Promise<Counts> {
  await require(TOOLS)
  await quietly([join(SOURCE, 'tests/package_test.sh'), inBuild('cpp-package')], SERVER_ENV)
  return ONE
}

async function stan(): Promise<Counts> {
  await require(TOOLS)
  const folder = await compile('stan', [`-DMCBACKEND_STAN_TOOLCHAIN=${await stanToolchain()}`])
  return ctest('C++, in Stan', folder, '[Ss]tan')
}

export const CPP_TASKS = {
  cpp: { what: 'the C++ client, with every warning an error', run: () => tested('plain', '.') },
  'cpp-read': { what: 'clang-tidy and doxygen on the C++ client', after: ['cpp'], run: read },
  'cpp-stan': { what: 'Stan 2.39 streams through the C++ client', run: stan },
  'cpp-package': { what: 'find_package and FetchContent, in empty folders', run: packaged },
  'cpp-asan': {
    what: 'the C++ client under address and undefined-behaviour sanitizers',
    run: () => tested('asan', '.'),
  },
  'cpp-tsan': { what: 'the C++ client under the thread sanitizer', run: () => tested('tsan', 'Http|Fault|Sender') },
} as const satisfies Record<string, Task>
