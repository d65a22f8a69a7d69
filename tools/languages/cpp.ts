/** Tasks of the C++ client: its tests, plain and under sanitizers, in real Stan, as a package; and those who read its source. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Counts } from '../common/counts.ts'
import { require, stanToolchain } from './needs.ts'
import { countsOfJUnit } from './reports.ts'
import { inBuild, ONE, outputOf, quietly, ROOT, SERVER_ENV, type Task } from './task.ts'

const SOURCE = join(ROOT, 'clients/cpp')
const STAN_TEST = 'mcbackend_stan_test'
const TOOLS = 'a C++ compiler, CMake, libcurl and GoogleTest'
const CLANG = 'clang++-19'

interface Build {
  /** The first of the path, where it is not named. */
  readonly compiler?: string
  readonly flags: string
  readonly options?: readonly string[]
  readonly targets: readonly string[]
}

/**
 * Sources of a target in one, which halves the compiler's time: what they share is compiled once. The test of FetchContent
 * compiles them one by one, as users do.
 */
const UNITY = ['-DCMAKE_UNITY_BUILD=ON', '-DCMAKE_UNITY_BUILD_BATCH_SIZE=0']

/**
 * Builds of the library, each in a folder of its own. Optimising costs more time than it saves, but where little is compiled.
 * Clang takes half of g++'s time with sanitizers, and warns of other things.
 */
const BUILDS = {
  plain: {
    flags: '-O1 -g0',
    options: ['-DCMAKE_EXPORT_COMPILE_COMMANDS=ON', '-DMCBACKEND_BUILD_EXAMPLES=ON', '-DMCBACKEND_BUILD_BENCH=ON'],
    targets: ['mcbackend', 'mcbackend_conformance_driver', 'bench_append', 'bench_encode'],
  },
  asan: {
    compiler: CLANG,
    flags: '-O0 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all',
    targets: ['mcbackend_unit_tests', 'fuzz_test', 'protobuf_test', 'mcbackend_server_tests', 'http_memory_tests'],
  },
  // Without the tests of memory, whose operator new is in the way of this sanitizer's.
  tsan: { compiler: CLANG, flags: '-O1 -g1 -fsanitize=thread', targets: ['mcbackend_server_tests'] },
} as const satisfies Record<string, Build>
type BuildName = keyof typeof BUILDS

const folderOf = (name: string): string => inBuild(`cpp-${name}`)

/** Configures and compiles. */
async function compile(name: BuildName, only?: string, more: readonly string[] = []): Promise<string> {
  const { compiler, flags, options = [], targets }: Build = BUILDS[name]
  const folder = folderOf(name)
  const configure = ['cmake', '-S', SOURCE, '-B', folder, ...UNITY, '-DCMAKE_BUILD_TYPE=None']
  const chosen = compiler === undefined ? [] : [`-DCMAKE_CXX_COMPILER=${compiler}`]
  const own = [...chosen, `-DCMAKE_CXX_FLAGS=${flags}`, '-DMCBACKEND_BUILD_TESTS=ON', ...options, ...more]
  await quietly([...configure, ...own])
  await quietly(['cmake', '--build', folder, '--parallel', '1', '--target', ...(only === undefined ? targets : [only])])
  return folder
}

/** Runs tests of a build whose names match, and those alone. */
async function ctest(name: string, folder: string, pattern: string): Promise<Counts> {
  const report = join(folder, 'report.xml')
  const chosen = ['-R', pattern, '--output-junit', report, '--output-on-failure', '--no-tests=error']
  const env = { ...SERVER_ENV, TSAN_OPTIONS: 'halt_on_error=1', UBSAN_OPTIONS: 'print_stacktrace=1' }
  // Tests on servers mostly wait.
  const command = ['ctest', '--test-dir', folder, '--parallel', '3', '--timeout', '300', ...chosen]
  const { status, text } = await outputOf(command, { env })
  const counts = existsSync(report) ? countsOfJUnit(report, name) : undefined
  if (status === 0 && counts !== undefined) return counts
  console.error(text)
  return counts !== undefined && counts.failed > 0
    ? counts
    : { ...ONE, passed: 0, failed: 1, failures: [`${name}: ctest`] }
}

async function tested(name: BuildName, pattern: string): Promise<Counts> {
  await require(TOOLS, 'protobuf for C++', 'clang 19 with its sanitizers')
  return ctest(`C++, ${name}`, await compile(name), pattern)
}

async function library(): Promise<Counts> {
  await require(TOOLS)
  await compile('plain')
  return ONE
}

/** clang-tidy on what is compiled, each target's sources in one, and doxygen, which names what has no comment. */
async function read(): Promise<Counts> {
  await require(TOOLS, 'clang-tidy 19 and doxygen')
  const compiled = JSON.parse(readFileSync(join(folderOf('plain'), 'compile_commands.json'), 'utf8')) as {
    file: string
  }[]
  const paths = compiled
    .map(({ file }) => file)
    .filter((path) => !relative(folderOf('plain'), path).startsWith('tests/'))
  // The unity sources lie beside the build, where clang-tidy finds no settings, and all that they do is include sources.
  const options = ['--config-file', join(SOURCE, '.clang-tidy'), '--checks=-bugprone-suspicious-include']
  await quietly(['clang-tidy-19', '--quiet', '--warnings-as-errors=*', '-p', folderOf('plain'), ...options, ...paths])
  // Doxygen makes the last folder of its output alone.
  mkdirSync(join(SOURCE, 'build'), { recursive: true })
  const { status, text } = await outputOf(['doxygen', 'Doxyfile'], { cwd: SOURCE })
  if (status !== 0) throw new Error(`doxygen:\n${text}`)
  return { ...ONE, passed: 2 }
}

async function packaged(): Promise<Counts> {
  await require(TOOLS)
  await quietly([join(SOURCE, 'tests/package_test.sh'), inBuild('cpp-package'), folderOf('plain')], SERVER_ENV)
  return ONE
}

async function stan(): Promise<Counts> {
  await require(TOOLS)
  const folder = await compile('plain', STAN_TEST, [
    `-DMCBACKEND_STAN_TOOLCHAIN=${await stanToolchain()}`,
    // They would take a minute of the compiler's.
    '-DMCBACKEND_STAN_METHODS=OFF',
  ])
  return ctest('C++, in Stan', folder, `^${STAN_TEST}$`)
}

export const CPP_TASKS = {
  'cpp-library': { what: 'the C++ library and its driver, with every warning an error', run: library },
  'cpp-asan': {
    what: 'all tests of the C++ client, under the sanitizers of addresses and of undefined behaviour',
    run: () => tested('asan', '.'),
  },
  'cpp-tsan': {
    what: 'the C++ client on a server, under the sanitizer of threads',
    run: () => tested('tsan', '^(http|http_failure|faults)_test$'),
  },
  'cpp-read': { what: 'clang-tidy and doxygen on the C++ client', after: ['cpp-library'], run: read },
  'cpp-stan': { what: 'Stan 2.39 streams through the C++ client', after: ['cpp-library'], run: stan },
  'cpp-package': {
    what: 'find_package and FetchContent, in empty folders',
    after: ['cpp-library'],
    run: packaged,
  },
} as const satisfies Record<string, Task>
